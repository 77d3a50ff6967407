import Canonical
import Foundation
import Kafka
import Logging
import Postgres
import Rig
import TestSupport
import Testing

/// `throughline dev`, as a newcomer runs it.
@Suite(.serialized) struct DevTests {
  @Test func `what a server says while a connection begins is nobody's output`() async throws {
    let url = try await TestDatabase.make()
    let db = PostgresConnection(url: url, applicationName: "notices")
    // Whoever connects is warned that its collation is another one by now.
    try await db.perform { db throws(PostgresFault) in
      try db.execute("UPDATE pg_database SET datcollversion = '0' WHERE datname = current_database()")
    }
    let run = try await ToolRun(["migrate"], environment: ["THROUGHLINE_DATABASE_URL": url])
    #expect(run.code == 0 && !(run.problems + run.text).contains("collation version"), "\(run.problems)")
  }

  @Test func `a record published by kcat in either content mode is a message`() async throws {
    let dev = try Dev()
    let settings = try await dev.settings()
    let servers = try #require(settings["THROUGHLINE_KAFKA_BOOTSTRAP_SERVERS"])
    let body =
      #"{"event":"message.created","event_id":"ID","conversation_id":"c_1","visitor":{"id":"v_1"},"message":{"id":"ID","text":"hello"}}"#
    try kcat(
      servers, body.replacing("ID", with: "binary"),
      ["ce_specversion=1.0", "ce_id=1", "ce_type=chat.event", "ce_source=/channels/chat/w", "content-type=application/json"])
    try kcat(
      servers,
      #"{"specversion":"1.0","id":"2","type":"chat.event","source":"/channels/chat/w","data":\#(body.replacing("ID", with: "structured"))}"#,
      ["content-type=application/cloudevents+json"])
    let db = PostgresConnection(url: try #require(settings["THROUGHLINE_DATABASE_URL"]), applicationName: "dev-test")
    var rows: [[String?]] = []
    // Ends with what is waited for, or with the process.
    for _ in 0..<2_400 where rows.count < 2 && dev.process.process.isRunning {
      rows = try await db.perform { db throws(PostgresFault) in
        try db.textRows(
          """
          SELECT m.external_id, count(*) OVER (PARTITION BY m.conversation_id) FROM throughline.message m
          JOIN throughline.customer c ON c.tenant_id = m.tenant_id AND c.id = m.customer_id
          JOIN throughline.conversation v ON v.tenant_id = m.tenant_id AND v.id = m.conversation_id ORDER BY 1
          """)
      }
      if rows.count < 2 { try await Task.sleep(for: .milliseconds(50)) }
    }
    #expect(rows == [["binary", "2"], ["structured", "2"]])
    await db.close()
    #expect(dev.process.stop() == 0)
    try await dev.expectNothingLeft()
  }

  @Test func `nothing is left of it when it is killed`() async throws {
    let dev = try Dev()
    _ = try await dev.settings()
    dev.process.crash()
    try await dev.expectNothingLeft()
  }

  private func kcat(_ servers: String, _ body: String, _ headers: [String]) throws {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = ["kcat", "-P", "-b", servers, "-t", "channel.chat", "-k", "v_1"] + headers.flatMap { ["-H", $0] }
    let input = Pipe()
    process.standardInput = input
    try process.run()
    input.fileHandleForWriting.write(Data(body.utf8))
    try input.fileHandleForWriting.close()
    process.waitUntilExit()
    #expect(process.terminationStatus == 0)
  }

  /// A `throughline dev` in a folder of its own.
  private final class Dev: Sendable {
    let folder: URL
    let process: WorkerProcess

    init() throws {
      folder = FileManager.default.temporaryDirectory.appendingPathComponent("throughline-dev-\(UUID().uuidString)")
      try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
      process = try WorkerProcess(["dev"], ProcessInfo.processInfo.environment, folder: folder)
    }

    deinit { try? FileManager.default.removeItem(at: folder) }

    /// Waits until it says that it is ready, and reads `.throughline/dev.env`.
    func settings() async throws -> [String: String] {
      // Ends with the words or with the process; the bound is for one that does nothing at all.
      try await process.waitForLog("throughline dev is ready", seconds: 180)
      let text = try String(contentsOf: folder.appendingPathComponent(".throughline/dev.env"), encoding: .utf8)
      server = text.firstRange(of: "%2Ftmp%2F").flatMap { range in
        text[range.upperBound...].firstIndex(of: "/").map { "/tmp/" + text[range.upperBound..<$0] }
      }
      return Dictionary(
        uniqueKeysWithValues: text.split(separator: "\n").compactMap { line in
          line.firstIndex(of: "=").map { (String(line[..<$0]), String(line[line.index(after: $0)...])) }
        })
    }

    private nonisolated(unsafe) var server: String?

    /// The server and its directory end with their owner.
    func expectNothingLeft() async throws {
      let directory = try #require(server)
      for _ in 0..<200 where FileManager.default.fileExists(atPath: directory) { try await Task.sleep(for: .milliseconds(50)) }
      #expect(!FileManager.default.fileExists(atPath: directory))
      let list = Process()
      list.executableURL = URL(fileURLWithPath: "/usr/bin/env")
      list.arguments = ["pgrep", "-f", directory]
      list.standardOutput = FileHandle.nullDevice
      try list.run()
      list.waitUntilExit()
      #expect(list.terminationStatus == 1, "a process of \(directory) is left")
    }
  }
}
