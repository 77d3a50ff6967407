import Foundation
import Logging
import Synchronization
import Testing

@testable import Operations

/// systemd's end: a datagram socket.
private final class NotifySocket: Sendable {
  let descriptor: Int32

  /// - Parameter name: A path, or an abstract name with a leading `@`.
  init(_ name: String) throws {
    descriptor = Int32(try SystemFault.check("socket", Int(socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue), 0))))
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    let bytes = name.hasPrefix("@") ? [0] + Array(name.utf8.dropFirst()) : Array(name.utf8)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
    let length = socklen_t(MemoryLayout<sa_family_t>.size + bytes.count)
    let result = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(descriptor, $0, length) }
    }
    _ = try SystemFault.check("bind", Int(result))
    // Nothing here takes long; a test that waits in vain fails instead of hanging.
    var patience = timeval(tv_sec: 120, tv_usec: 0)
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
  }

  deinit { close(descriptor) }

  /// The next datagram, as lines.
  func next(waiting: Bool = true) throws -> [String] {
    var bytes = [UInt8](repeating: 0, count: 4_096)
    let flags = waiting ? 0 : Int32(MSG_DONTWAIT)
    let count = try SystemFault.check("recv", recv(descriptor, &bytes, bytes.count, flags))
    return String(decoding: bytes[..<count], as: UTF8.self).split(separator: "\n").map(String.init)
  }
}

@Suite struct ServiceManagerTests {
  private func socketName(_ kind: String, _ folder: Folder) -> String {
    kind == "abstract" ? "@throughline-test-\(UUID().uuidString)" : folder.path + "/notify"
  }

  @Test(arguments: ["path", "abstract"])
  func `datagrams arrive at the socket that systemd names`(kind: String) throws {
    let folder = try Folder()
    let name = socketName(kind, folder)
    let socket = try NotifySocket(name)
    let manager = ServiceManager(environment: ["NOTIFY_SOCKET": name])
    manager.ready()
    manager.reloading()
    manager.stopping()
    #expect(try socket.next(waiting: false) == ["READY=1"])
    let reload = try socket.next(waiting: false)
    #expect(reload.first == "RELOADING=1" && reload.count == 2)
    #expect(reload.last?.wholeMatch(of: #/MONOTONIC_USEC=[1-9][0-9]*/#) != nil)
    #expect(try socket.next(waiting: false) == ["STOPPING=1"])
    #expect(throws: SystemFault.self) { try socket.next(waiting: false) }
  }

  @Test func `without systemd nothing is said, and a socket that is gone or full does no harm`() throws {
    #expect(ServiceManager(environment: [:]).send(["READY=1"]))
    #expect(!ServiceManager(environment: ["NOTIFY_SOCKET": "/not/there"]).send(["READY=1"]))
    #expect(!ServiceManager(environment: ["NOTIFY_SOCKET": String(repeating: "x", count: 500)]).send(["READY=1"]))
    let folder = try Folder()
    let socket = try NotifySocket(folder.path + "/notify")
    let manager = ServiceManager(environment: ["NOTIFY_SOCKET": folder.path + "/notify"])
    var sent = 0
    // The system's queue is far shorter.
    while sent < 100_000, manager.send(["STATUS=x"]) { sent += 1 }
    #expect((1..<100_000).contains(sent))
    _ = try socket.next()
    #expect(manager.send(["STATUS=x"]))
  }

  @Test(
    arguments: [
      (["WATCHDOG_USEC": "60000000"], Duration.seconds(60)), (["WATCHDOG_USEC": "60000000", "WATCHDOG_PID": "1"], nil),
      (["WATCHDOG_USEC": "60000000", "WATCHDOG_PID": "\(getpid())"], .seconds(60)), (["WATCHDOG_USEC": "x"], nil),
      (["WATCHDOG_USEC": "0"], nil), ([:], nil),
    ] as [([String: String], Duration?)])
  func `the watchdog is this process's own`(environment: [String: String], expected: Duration?) {
    #expect(ServiceManager(environment: environment.merging(["NOTIFY_SOCKET": "@x"]) { $1 }).watchdog == expected)
  }

  @Test func `what is due is told once, and the watchdog only while there is progress`() {
    let clock = ManualClock()
    var report = ServiceReport(watchdog: .seconds(60))
    func lines(isLive: Bool = true, isReady: Bool = true, _ status: String = "lag 0") -> [String] {
      report.lines(isLive: isLive, isReady: isReady, status: status, now: clock.now)
    }
    #expect(lines(isReady: false, "waiting") == ["STATUS=waiting", "WATCHDOG=1", "EXTEND_TIMEOUT_USEC=60000000"])
    #expect(lines(isReady: false, "waiting") == [])
    clock.advance(.seconds(20))
    #expect(lines(isReady: false, "waiting") == ["WATCHDOG=1", "EXTEND_TIMEOUT_USEC=60000000"])
    #expect(lines() == ["READY=1", "STATUS=lag 0"])
    clock.advance(.seconds(19))
    #expect(lines() == [])
    clock.advance(.seconds(1))
    #expect(lines() == ["WATCHDOG=1"])
    clock.advance(.seconds(20))
    #expect(lines(isLive: false) == [])
    clock.advance(.seconds(20))
    #expect(lines(isLive: false, "stuck") == ["STATUS=stuck"])
    #expect(lines(isReady: false, "stuck") == ["WATCHDOG=1"])
    // Never a second time.
    #expect(lines("a\nWATCHDOG=1\u{1b}") == [#"STATUS=a\u000aWATCHDOG=1\u001b"#])
    #expect(lines(String(repeating: "x", count: 1_000)).first?.count == 263)
    #expect(report.interval == .seconds(1))
  }

  @Test func `a start that hangs is not extended, and without a watchdog none is fed`() {
    let clock = ManualClock()
    var report = ServiceReport(watchdog: nil)
    func lines(isLive: Bool, isReady: Bool) -> [String] {
      report.lines(isLive: isLive, isReady: isReady, status: "", now: clock.now)
    }
    #expect(lines(isLive: false, isReady: false) == [])
    #expect(lines(isLive: true, isReady: false) == ["EXTEND_TIMEOUT_USEC=60000000"])
    clock.advance(.seconds(20))
    #expect(lines(isLive: true, isReady: true) == ["READY=1"])
    #expect(ServiceReport(watchdog: .milliseconds(300)).interval == .milliseconds(100))
  }

  @Test func `a worker's shell says when the worker is ready, and ends when it is told to`() async throws {
    let folder = try Folder()
    let socket = try NotifySocket(folder.path + "/notify")
    let health = Health(components: ["database"])
    let shell = WorkerShell(
      listen: ListenAddress(host: "127.0.0.1", port: 0), health: health, metrics: PrometheusMetrics(version: "1"),
      environment: ["NOTIFY_SOCKET": folder.path + "/notify", "WATCHDOG_USEC": "300000"], limiter: LogLimiter(),
      logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { await shell.run() }
      let first = try await blocking { try socket.next() }
      #expect(first == ["STATUS=waiting for database", "WATCHDOG=1", "EXTEND_TIMEOUT_USEC=60000000"])
      health.setReady(component: "database", true)
      let ready = try await blocking {
        while case let lines = try socket.next() {
          if lines.contains("READY=1") { return lines }
        }
      }
      #expect(ready.contains("STATUS="))
      #expect(try await blocking { try socket.next() } == ["WATCHDOG=1"])
      // The system keeps ten datagrams and drops the eleventh: read all the while, and told again until it has come.
      let hasCome = Mutex(false)
      group.addTask {
        try await blocking { while try socket.next() != ["STOPPING=1"] {} }
        hasCome.withLock { $0 = true }
      }
      while !hasCome.withLock({ $0 }) {
        shell.stopping()
        try await Task.sleep(for: .milliseconds(20))
      }
      group.cancelAll()
      try await group.waitForAll()
    }
  }
}
