import Foundation
import TestSupport
import Testing

@testable import Postgres

@Suite struct ThrowawayServerTests {
  /// Waits until the directory is gone, and the server with it.
  private func waitUntilGone(_ directory: String, _ server: pid_t) async throws {
    let deadline = ContinuousClock.now + .seconds(30)
    while access(directory, F_OK) == 0 || kill(server, 0) == 0 {
      guard ContinuousClock.now < deadline else { throw Late(what: "the end of the server in \(directory)") }
      try await Task.sleep(for: .milliseconds(20))
    }
  }

  @Test func `a server has no socket of whoever starts it`() async throws {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(descriptor) }
    func link(_ path: String) -> String? { try? FileManager.default.destinationOfSymbolicLink(atPath: path) }
    let mine = try #require(link("/proc/self/fd/\(descriptor)"))
    let server = try await ThrowawayServer()
    let folder = "/proc/\(try #require(server.pid()))/fd"
    let held = try FileManager.default.contentsOfDirectory(atPath: folder).compactMap { link(folder + "/" + $0) }
    #expect(!held.isEmpty && !held.contains(mine))
    await server.stop()
  }

  @Test func `a server that is stopped is gone with its directory`() async throws {
    let server = try await ThrowawayServer()
    let db = PostgresConnection(url: server.url, applicationName: "test")
    #expect(try await db.value("SELECT current_user") == "throughline")
    let pid = try #require(server.pid())
    await server.stop()
    #expect(access(server.directory, F_OK) != 0)
    #expect(kill(pid, 0) != 0)
    #expect(server.pid() == nil)
    #expect(await db.fault(of: "SELECT 1")?.disposition == .reconnect)
    #expect(await db.fault(of: "SELECT 1")?.sqlState == "08001")
    // Once more is nothing.
    await server.stop()
  }

  @Test func `a server that crashed goes on with its data`() async throws {
    let server = try await ThrowawayServer()
    let db = PostgresConnection(url: server.url, applicationName: "test")
    try await db.sql("CREATE TABLE kept AS SELECT 42 AS answer")
    let pid = try #require(server.pid())
    try await server.crash()
    #expect(kill(pid, 0) != 0)
    #expect(await db.fault(of: "SELECT 1")?.disposition == .reconnect)
    try await server.restart()
    #expect(try await db.value("SELECT answer FROM kept") == "42")
    #expect(server.pid() != pid)
    // Also while it is down it is gone with its directory.
    try await server.crash()
    await server.stop()
    #expect(access(server.directory, F_OK) != 0)
  }

  @Test func `two servers do not know of each other`() async throws {
    let (a, b) = (try await ThrowawayServer(), try await ThrowawayServer(options: "-c fsync=off -c work_mem=7MB"))
    await a.stop()
    let db = PostgresConnection(url: b.url, applicationName: "test")
    #expect(try await db.value("SHOW work_mem") == "7MB")
    await db.close()
    await b.stop()
  }

  @Test func `a server is gone with its directory when its owner is killed`() async throws {
    let note = FileManager.default.temporaryDirectory.appending(path: "throughline-test-\(UUID())")
    defer { try? FileManager.default.removeItem(at: note) }
    await #expect(processExitsWith: .signal(SIGKILL)) { [note = note as URL] in
      // Or a server that stays would hold the pipe on whose end the test waits, and nothing would fail.
      for descriptor in 3..<1_024 as Range<Int32> { _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC) }
      let server = try await ThrowawayServer()
      try Data("\(server.directory) \(try #require(server.pid()))".utf8).write(to: note)
      raise(SIGKILL)
      withExtendedLifetime(server) {}
    }
    let words = String(decoding: try Data(contentsOf: note), as: UTF8.self).split(separator: " ").map(String.init)
    try #require(words.count == 2)
    try await waitUntilGone(words[0], try #require(pid_t(words[1])))
  }
}
