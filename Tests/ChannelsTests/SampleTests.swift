import Canonical
import Foundation
import Testing

@testable import Channels

/// Payloads of every provider against their golden events. `UPDATE_GOLDEN=1 swift test --filter SampleTests` writes the goldens
/// anew: read the difference before you commit it.
@Suite struct SampleTests {
  @Test("A sample gives its golden events", arguments: Sample.all)
  func golden(_ sample: Sample) throws {
    let actual = Normaliser(tokenKey: Sample.tokenKey).normalise(sample.record()).golden
    if ProcessInfo.processInfo.environment["UPDATE_GOLDEN"] == "1" {
      try actual.write(to: sample.golden, atomically: true, encoding: .utf8)
    }
    #expect(actual == (try String(contentsOf: sample.golden, encoding: .utf8)))
  }

  @Test("Both content modes give the same events", arguments: Sample.all)
  func contentModes(_ sample: Sample) {
    let normaliser = Normaliser()
    #expect(normaliser.normalise(sample.structured).golden == normaliser.normalise(sample.record()).golden)
  }

  @Test("Every format has samples")
  func everyFormatHasSamples() {
    #expect(Set(Formats.all.map(\.type)) == Set(Sample.all.map(\.type)))
  }

  /// What nothing but its delivery tells from another of its kind.
  private static let withoutIDAndTime: Set<String> = [
    "freshdesk.ticket/automation_reply", "freshdesk.ticket/not_attested", "freshdesk.ticket/reply_without_requester",
    "freshdesk.ticket/state_without_time", "liveagent.ticket/state_without_time",
  ]

  @Test("A delivery repeated with another id and time has the same key", arguments: Sample.all)
  func redelivery(_ sample: Sample) {
    var again = sample
    again.headers["ce_id"] = "again"
    again.headers["ce_time"] = "2026-05-13T09:14:05Z"
    let normaliser = Normaliser()
    // Without a time of its own a contact is as new as its delivery. The desk's events have no id but the delivery's.
    guard sample.type != "contact.upsert" || sample.name == "full", Formats.byType[sample.type]?.channel != .desk,
      sample.type != "outbound.result", !Self.withoutIDAndTime.contains(sample.testDescription)
    else { return }
    #expect(normaliser.normalise(again.record()).events.map(\.key) == normaliser.normalise(sample.record()).events.map(\.key))
  }
}
