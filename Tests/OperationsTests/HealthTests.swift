import Foundation
import Logging
import Testing

@testable import Operations

@Suite struct HealthTests {
  private let clock = ManualClock()

  private func makeHealth(_ components: [String] = ["database", "group"]) -> Health {
    Health(components: components, patience: .seconds(30)) { [clock] in clock.now }
  }

  @Test func `a worker is patient for half of the watchdog's time, and half a minute at most`() {
    let socket = ["NOTIFY_SOCKET": "/run/x"]
    #expect(Health.patience(socket) == .seconds(30))
    #expect(Health.patience(socket.merging(["WATCHDOG_USEC": "4000000"]) { $1 }) == .seconds(2))
    #expect(Health.patience(socket.merging(["WATCHDOG_USEC": "600000000"]) { $1 }) == .seconds(30))
  }

  @Test func `alive is whose loop turned lately`() {
    let health = makeHealth()
    #expect(health.isLive)
    clock.advance(.seconds(30))
    #expect(health.isLive)
    clock.advance(.milliseconds(1))
    #expect(!health.isLive)
    health.setReady(component: "database", true)
    health.status("lag 3")
    #expect(!health.isLive)
    health.progress()
    #expect(health.isLive)
  }

  @Test(arguments: [
    ([], ["database", "group"], "waiting for database, group; lag 3"),
    [("database", true)].with(["group"], "waiting for group; lag 3"),
    [("database", true), ("group", true)].with([], "lag 3"),
    [("database", true), ("group", true), ("database", false)].with(["database"], "waiting for database; lag 3"),
    [("database", true), ("group", true), ("schema", false)].with(["schema"], "waiting for schema; lag 3"),
  ])
  func `ready is who misses nothing`(changes: [(String, Bool)], missing: [String], line: String) {
    let health = makeHealth()
    for (component, isReady) in changes { health.setReady(component: component, isReady) }
    health.status("lag 3")
    #expect(health.missing == missing)
    #expect(health.isReady == missing.isEmpty)
    #expect(health.statusLine == line)
  }

  // MARK: - HTTP

  /// Asks over a socket of its own, byte for byte what is written here.
  private func get(_ path: String, _ address: ListenAddress) async throws -> (status: Int?, type: String?, body: String) {
    let request = "GET \(path) HTTP/1.1\r\nHost: \(address)\r\nConnection: close\r\n\r\n"
    let answer = try await blocking {
      let descriptor = Int32(try SystemFault.check("socket", Int(socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0))))
      defer { close(descriptor) }
      var patience = timeval(tv_sec: 120, tv_usec: 0)
      setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
      var name = sockaddr_in()
      name.sin_family = sa_family_t(AF_INET)
      name.sin_port = address.port.bigEndian
      inet_pton(AF_INET, address.host, &name.sin_addr)
      let connected = withUnsafePointer(to: &name) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
          connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
        }
      }
      _ = try SystemFault.check("connect", Int(connected))
      _ = try SystemFault.check("send", send(descriptor, request, request.utf8.count, Int32(MSG_NOSIGNAL)))
      return String(decoding: try readAll(descriptor), as: UTF8.self)
    }
    let head = answer.split(separator: "\r\n\r\n", maxSplits: 1).first ?? ""
    return (
      head.firstMatch(of: #/^HTTP\/1\.1 (\d{3})/#).flatMap { Int($0.output.1) },
      head.firstMatch(of: #/\r\nContent-Type: (.*)/#).map { String($0.output.1) },
      String(answer.dropFirst(head.count + 2))
    )
  }

  /// Runs the body while the routes are served.
  private func serving(_ listen: ListenAddress, _ health: Health, _ body: (ListenAddress) async throws -> Void) async throws {
    let (addresses, announcement) = AsyncStream<ListenAddress>.makeStream()
    let metrics = PrometheusMetrics(version: "1")
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask {
        defer { announcement.finish() }
        try await OperatorServer(listen: listen, health: health, metrics: metrics).run { announcement.yield($0) }
      }
      for await address in addresses.prefix(1) { try await body(address) }
      group.cancelAll()
      try await group.waitForAll()
    }
  }

  @Test func `operators see the routes, and nothing else`() async throws {
    let health = makeHealth()
    var wasServed = false
    try await serving(ListenAddress(host: "127.0.0.1", port: 0), health) { address in
      #expect(address.host == "127.0.0.1" && address.port != 0)
      #expect(try await get("/livez", address) == (200, "text/plain; charset=utf-8", "live\n"))
      let unready = "database is not ready\ngroup is not ready\n"
      #expect(try await get("/readyz", address) == (503, "text/plain; charset=utf-8", unready))
      health.setReady(component: "database", true)
      #expect(try await get("/readyz", address).body == "group is not ready\n")
      health.setReady(component: "group", true)
      #expect(try await get("/readyz", address) == (200, "text/plain; charset=utf-8", "ready\n"))
      clock.advance(.seconds(31))
      #expect(try await get("/livez", address) == (503, "text/plain; charset=utf-8", "no progress\n"))
      let metrics = try await get("/metrics", address)
      #expect(metrics.status == 200 && metrics.type == "text/plain; version=0.0.4; charset=utf-8")
      #expect(metrics.body.contains("throughline_build_info{version=\"1\"} 1\n"))
      for path in ["/", "/livez/x", "/metrics2", "//livez"] { #expect(try await get(path, address).status == 404) }
      wasServed = true
    }
    #expect(wasServed)
  }

  @Test func `an address that is taken is an error, and its server goes on`() async throws {
    let health = makeHealth()
    var wasServed = false
    try await serving(ListenAddress(host: "127.0.0.1", port: 0), health) { address in
      await #expect(throws: (any Error).self) {
        try await OperatorServer(listen: address, health: health, metrics: PrometheusMetrics(version: "2")).run { _ in
          Issue.record("two servers listen on one address")
        }
      }
      let answer = try await get("/livez", address)
      #expect(answer.status == 200)
      wasServed = true
    }
    #expect(wasServed)
  }
}

extension [(String, Bool)] {
  fileprivate func with(_ missing: [String], _ line: String) -> ([(String, Bool)], [String], String) { (self, missing, line) }
}
