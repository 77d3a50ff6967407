import Glibc

/// An address and port to listen on. Names are not looked up.
public struct ListenAddress: Sendable, Equatable, CustomStringConvertible {
  /// An IPv4 or IPv6 address.
  public var host: String
  /// 0 takes a free one.
  public var port: UInt16

  public init(host: String, port: UInt16) {
    self.host = host
    self.port = port
  }

  /// From `127.0.0.1:9801`, `[::1]:9801` or `localhost:9801`. The port may be a sum, `9800+1`: units have an instance each.
  init?(_ text: String) {
    let pattern = #/(?:\[([0-9a-fA-F]*:[0-9a-fA-F:.]*)\]|([0-9.]+|localhost)):([0-9]{1,5})(?:\+([0-9]{1,5}))?/#
    guard let match = text.wholeMatch(of: pattern), let base = Int(match.output.3),
      let port = UInt16(exactly: base + (match.output.4.flatMap { Int($0) } ?? 0))
    else { return nil }
    let host = match.output.1 ?? match.output.2 ?? ""
    self.init(host: host == "localhost" ? "127.0.0.1" : String(host), port: port)
    var address = in6_addr()
    guard inet_pton(isIPv6 ? AF_INET6 : AF_INET, self.host, &address) == 1 else { return nil }
  }

  public var isIPv6: Bool { host.contains(":") }
  public var description: String { isIPv6 ? "[\(host)]:\(port)" : "\(host):\(port)" }
}
