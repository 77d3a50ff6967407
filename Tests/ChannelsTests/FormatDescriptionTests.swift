import Canonical
import Testing

@testable import Channels

/// What people are told of a format is what it does.
@Suite struct FormatDescriptionTests {
  @Test("Every format is described", arguments: Formats.all.map(\.type))
  func described(_ type: String) throws {
    let format = try #require(Formats.byType[type])
    let about = try #require(FormatDescription.byType[type], "FormatDescriptions.swift says nothing of \(type)")
    #expect(about.source.hasPrefix("/channels/\(format.channel?.rawValue ?? "<channel>")/"))
    #expect(!about.payload.isEmpty && !about.carries.isEmpty && !about.contentType.isEmpty)
    #expect(Set(about.carries).count == about.carries.count)
    // They are cells of a table.
    #expect(!(about.source + about.payload + about.lacks).contains { $0 == "|" || $0.isNewline })
  }

  @Test("What a sample brings, its format carries", arguments: Sample.all)
  func carried(_ sample: Sample) throws {
    let about = try #require(FormatDescription.byType[sample.type])
    let events = Normaliser(tokenKey: Sample.tokenKey).normalise(sample.record()).events
    let untold = events.reduce(into: Set<Capability>()) { $0.formUnion($1.capabilities) }.subtracting(about.carries)
    #expect(untold.isEmpty, "FormatDescriptions.swift does not say so")
  }
}

extension Event {
  /// What it is an example of, as far as its form alone says so.
  fileprivate var capabilities: Set<Capability> {
    switch body {
    case .message(let message):
      let isCall = channel == .voice
      let files = message.attachments.map { media -> Capability in
        switch media.kind {
        case "location": .locations
        case "contact": .contacts
        default: isCall ? .recordings : .media
        }
      }
      let said: Capability =
        switch message.direction {
        case _ where isCall: .calls
        case _ where message.isHandoff: .handOffs
        case _ where message.isTranscript: .transcripts
        case .inbound: .messages
        case .outbound: .echoes
        case .internal: .notes
        }
      return Set(files + [said])
    case .contact: return [.customerData]
    case .order: return [.orders]
    case .survey: return [.surveys]
    case .change(let change):
      let kinds: [String: Capability] = [
        "edit": .edits, "delete": .deletes, "reaction": .reactions, "receipt": .receipts, "call": .calls,
        "identity_change": .identityChanges, "handoff": .handOffs, "bot_message": .messages,
        "said": change.status == "internal" ? .notes : change.status == Change.transcript ? .transcripts : .echoes,
        "consent": .optOuts,
      ]
      return Set([kinds[change.kind]].compactMap { $0 })
    case .action: return [.actions]
    case .result: return [.receipts]
    case .presence: return [.presence]
    case .unknown: return []
    }
  }
}
