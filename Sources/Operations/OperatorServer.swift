import FlyingFox
import FlyingSocks
import FoundationEssentials

/// The three routes for operators: `/livez`, `/readyz` and `/metrics`, and 404 for everything else.
public struct OperatorServer: Sendable {
  private let listen: ListenAddress
  private let health: Health
  private let metrics: PrometheusMetrics

  public init(listen: ListenAddress, health: Health, metrics: PrometheusMetrics) {
    self.listen = listen
    self.health = health
    self.metrics = metrics
  }

  /// Serves until its task is cancelled.
  ///
  /// - Parameter onListening: Called once with the address, its port included.
  /// - Throws: what the system said, when it can not listen.
  public func run(onListening: @escaping @Sendable (ListenAddress) -> Void) async throws {
    let server = try makeServer()
    await server.appendRoute("GET /livez") { [health] in
      health.isLive ? Self.response(.ok, "live\n") : Self.response(.serviceUnavailable, "no progress\n")
    }
    await server.appendRoute("GET /readyz") { [health] in
      // Whoever makes no progress is of no use either.
      let missing = health.missing + (health.isLive ? [] : ["progress"])
      return missing.isEmpty
        ? Self.response(.ok, "ready\n")
        : Self.response(.serviceUnavailable, missing.map { "\($0) is not ready\n" }.joined())
    }
    await server.appendRoute("GET /metrics") { [metrics] in
      Self.response(.ok, metrics.text(), type: PrometheusMetrics.contentType)
    }
    do {
      try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { try await server.run() }
        group.addTask {
          try await server.waitUntilListening()
          switch await server.listeningAddress {
          case .ip4(let host, let port), .ip6(let host, let port): onListening(ListenAddress(host: host, port: port))
          default: break
          }
        }
        // The announcement ends first, unless the server could not start.
        while try await group.next() != nil {}
      }
    } catch {
      // Its way of ending when it is told to is to throw.
      guard Task.isCancelled else { throw error }
    }
  }

  private func makeServer() throws -> HTTPServer {
    // With its own logger it prints lines that are not ours.
    listen.isIPv6
      ? HTTPServer(address: try .inet6(ip6: listen.host, port: listen.port), timeout: 5, logger: .disabled)
      : HTTPServer(address: try .inet(ip4: listen.host, port: listen.port), timeout: 5, logger: .disabled)
  }

  private static func response(_ status: HTTPStatusCode, _ body: String, type: String = "text/plain; charset=utf-8")
    -> HTTPResponse
  {
    HTTPResponse(statusCode: status, headers: [.contentType: type], body: Data(body.utf8))
  }
}
