import Canonical
import Channels
import Engine
import Postgres
import Store
import TestSupport
import Testing

@testable import Workers

/// Property P1: the state is what processing the records one by one leaves behind, however they are cut into batches.
@Suite struct BatchCutTests {
  /// 10,000 records, replies and impostors, contacts and conflicts, and every tenth record delivered twice.
  private static let records: [NormalisedRecord] = {
    var random = SplitMix64(seed: 7)
    let items = Traffic(seed: 20_261_122, records: 9_000, people: 700, includesMergeEvidence: true).items
    var delivered: [Traffic.Item] = []
    for item in items {
      delivered.append(item)
      if Int.random(in: 0..<9, using: &random) == 0, let again = delivered.randomElement(using: &random) {
        delivered.append(again)
      }
    }
    let normaliser = Normaliser()
    return delivered.enumerated().map { offset, item in
      normaliser.normalise(
        Record(
          topic: item.topic, partition: 0, offset: Int64(offset), timestamp: nil, key: Array(item.key.utf8),
          headers: item.headers,
          value: item.value))
    }
  }()

  @Test func `ten thousand records leave the same state in batches of 1, 7, 100 and 1000`() async throws {
    #expect(Self.records.count >= 9_900)
    #expect(!Self.records.contains { $0.isRejected })
    // One after the other: more at once than there are cores only makes each slower.
    async let singles = Self.state(cut: 1)
    let thousands = try await Self.state(cut: 1_000)
    #expect(thousands.count > 40_000)
    #expect(thousands.contains { $0.hasPrefix("suggestion") })
    #expect(thousands.contains { $0.hasPrefix("link") })
    for cut in [7, 100] {
      let state = try await Self.state(cut: cut)
      #expect(Self.difference(state, thousands) == [], "batches of \(cut)")
    }
    #expect(Self.difference(try await singles, thousands) == [], "batches of 1")
  }

  /// The first lines that only one of them has.
  private static func difference(_ a: [String], _ b: [String]) -> [String] {
    Array(Set(a).symmetricDifference(b).sorted().prefix(6)) + (a.count == b.count ? [] : ["\(a.count) lines against \(b.count)"])
  }

  private static func state(cut: Int) async throws -> [String] {
    let url = try await TestDatabase.make()
    let db = PostgresConnection(url: url, applicationName: "cut-\(cut)", settings: Queries.settings)
    let claims = OffsetClaims(group: "cuts", owner: "test")
    let pipeline = IngestPipeline(claims: claims, policy: Policy(), topicPrefix: "")
    let topics = Set(records.map(\.record.topic))
    let held = try await db.perform { db throws(PostgresFault) in
      try claims.claim(topics.map { ($0, 0) }, patienceMilliseconds: 1_000, on: db)
    }
    for start in stride(from: 0, to: records.count, by: cut) {
      let batch = Array(records[start..<min(start + cut, records.count)])
      _ = try await db.perform { db throws(PostgresFault) in
        try pipeline.commit(batch, under: held, milliseconds: 1_778_577_242_000, seed: UInt64(start + cut * 1_000_000), on: db)
      }
    }
    await db.close()
    return try await DeskState.lines(url)
  }
}
