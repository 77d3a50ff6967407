import Foundation
import Synchronization

/// A TCP proxy in front of a PostgreSQL server's socket that can lose, hold up, cut and refuse what passes.
///
/// One thread serves at most `maximumLinks` connections; what it holds of each is bounded. The thread ends with `close`, or with
/// the object.
public final class DatabaseProxy: Sendable {
  /// What becomes of connections.
  public enum Mode: Sendable {
    case open
    /// New ones are closed at once; those that are there stay.
    case refusing
    /// New ones are accepted by the system, and nothing passes on any of them.
    case silent
  }

  /// When the connection is cut whose COMMIT has been passed on.
  public enum Loss: Sendable {
    /// With the server's reply in hand: it has committed.
    case ofTheReply
    /// Before the server can have replied: it may still be committing when the client is back.
    case atOnce
  }

  fileprivate struct Orders: Sendable {
    var mode = Mode.open
    var delay = Duration.zero
    /// Grows with every order to cut all.
    var cuts = 0
    /// Whose next COMMIT loses its reply, by `application_name`.
    var victim: (name: String, loss: Loss)?
    var lostReplies = 0
    var isClosed = false
  }

  fileprivate final class Board: Sendable {
    let orders = Mutex(Orders())
  }

  private let board = Board()
  /// On 127.0.0.1.
  public let port: UInt16

  /// - Parameter upstream: the path of the server's Unix socket.
  public init(upstream: String) throws {
    let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = inet_addr("127.0.0.1")
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let isListening = withUnsafeMutablePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
        bind(listener, address, length) == 0 && listen(listener, 128) == 0 && getsockname(listener, address, &length) == 0
      }
    }
    guard listener >= 0, isListening else { throw RigFault("no port for the proxy: errno \(errno)") }
    port = UInt16(bigEndian: address.sin_port)
    let board = board
    Thread.detachNewThread { Switchboard(listener: listener, upstream: upstream, board: board).run() }
  }

  deinit { close() }

  public func set(_ mode: Mode) { board.orders.withLock { $0.mode = mode } }

  /// Everything takes this much longer, each way.
  public func delay(_ duration: Duration) { board.orders.withLock { $0.delay = duration } }

  /// Breaks every connection, in the middle of whatever it is at.
  public func cutAll() { board.orders.withLock { $0.cuts += 1 } }

  /// The next COMMIT of a client of this `application_name` reaches the server, and its reply nobody.
  public func loseReplyToCommit(of name: String, _ loss: Loss) { board.orders.withLock { $0.victim = (name, loss) } }

  /// How many replies were lost so far.
  public var lostReplies: Int { board.orders.withLock { $0.lostReplies } }

  /// Ends the thread and with it every connection.
  public func close() { board.orders.withLock { $0.isClosed = true } }
}

/// The proxy's thread.
private final class Switchboard {
  private static let maximumLinks = 256
  private let listener: Int32
  private let upstream: String
  private let board: DatabaseProxy.Board
  private var links: [Link] = []
  private var cutsDone = 0

  init(listener: Int32, upstream: String, board: DatabaseProxy.Board) {
    self.listener = listener
    self.upstream = upstream
    self.board = board
  }

  func run() {
    while case let orders = board.orders.withLock({ $0 }), !orders.isClosed {
      if orders.cuts != cutsDone {
        cutsDone = orders.cuts
        links = []
      }
      var polled = [pollfd(fd: orders.mode == .silent ? -1 : listener, events: Int16(POLLIN), revents: 0)]
      for link in links { polled += link.interests(isSilent: orders.mode == .silent) }
      // Orders and delays are looked after this often.
      _ = poll(&polled, nfds_t(polled.count), 10)
      guard orders.mode != .silent else { continue }
      let isCalled = polled[0].revents != 0
      for (position, link) in links.enumerated() {
        let (client, server) = (polled[2 * position + 1].revents, polled[2 * position + 2].revents)
        link.serve(clientIsReady: client != 0, serverIsReady: server != 0, delay: orders.delay, board)
      }
      links.removeAll { $0.isOver }
      if isCalled { accept(orders.mode) }
    }
    links = []
    close(listener)
  }

  private func accept(_ mode: DatabaseProxy.Mode) {
    let client = Glibc.accept(listener, nil, nil)
    guard client >= 0 else { return }
    guard mode == .open, links.count < Self.maximumLinks, let server = dial() else {
      close(client)
      return
    }
    var yes: Int32 = 1
    setsockopt(client, Int32(IPPROTO_TCP), TCP_NODELAY, &yes, socklen_t(MemoryLayout<Int32>.size))
    _ = fcntl(client, F_SETFD, FD_CLOEXEC)
    links.append(Link(client: client, server: server))
  }

  private func dial() -> Int32? {
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    let path = Array(upstream.utf8)
    guard path.count < MemoryLayout.size(ofValue: address.sun_path) else { return nil }
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path) }
    let server = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    let result = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(server, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) }
    }
    if result == 0 { return server }
    close(server)
    return nil
  }
}

/// A client's connection and the server's that belongs to it.
private final class Link {
  private static let maximumBytes = 256 << 10

  /// One direction: what was read and may not be written yet.
  private struct Lane {
    var bytes: [UInt8] = []
    var releaseAt = ContinuousClock.now
    var hasEnded = false

    /// Reads what there is.
    mutating func fill(from descriptor: Int32, delay: Duration) -> ArraySlice<UInt8> {
      var chunk = [UInt8](repeating: 0, count: 64 << 10)
      let count = recv(descriptor, &chunk, chunk.count, Int32(MSG_DONTWAIT))
      if count == 0 || count < 0 && errno != EAGAIN && errno != EINTR { hasEnded = true }
      guard count > 0 else { return [] }
      if bytes.isEmpty { releaseAt = .now + delay }
      bytes += chunk[..<count]
      return chunk[..<count]
    }

    mutating func drain(into descriptor: Int32) {
      guard !bytes.isEmpty, ContinuousClock.now >= releaseAt else { return }
      let count = send(descriptor, bytes, bytes.count, Int32(MSG_DONTWAIT | MSG_NOSIGNAL))
      if count > 0 { bytes.removeFirst(count) } else if errno != EAGAIN && errno != EINTR { (bytes, hasEnded) = ([], true) }
    }
  }

  private let client: Int32
  private let server: Int32
  private var toServer = Lane()
  private var toClient = Lane()
  private var frontend = FrontendStream()
  private var losing: DatabaseProxy.Loss?
  private(set) var isOver = false

  init(client: Int32, server: Int32) {
    self.client = client
    self.server = server
  }

  deinit {
    close(client)
    close(server)
  }

  func interests(isSilent: Bool) -> [pollfd] {
    func interest(_ descriptor: Int32, reading: Lane, writing: Lane) -> pollfd {
      var events: Int32 = 0
      if !reading.hasEnded && reading.bytes.count < Self.maximumBytes { events |= POLLIN }
      if !writing.bytes.isEmpty && ContinuousClock.now >= writing.releaseAt { events |= POLLOUT }
      return pollfd(fd: isSilent || events == 0 ? -1 : descriptor, events: Int16(events), revents: 0)
    }
    return [
      interest(client, reading: toServer, writing: toClient), interest(server, reading: toClient, writing: toServer),
    ]
  }

  func serve(clientIsReady: Bool, serverIsReady: Bool, delay: Duration, _ board: DatabaseProxy.Board) {
    if clientIsReady && toServer.bytes.count < Self.maximumBytes {
      let commits = frontend.commits(in: toServer.fill(from: client, delay: delay))
      if commits > 0 {
        losing = board.orders.withLock { orders in
          guard let victim = orders.victim, victim.name == frontend.applicationName else { return nil }
          orders.victim = nil
          return victim.loss
        }
      }
    }
    if serverIsReady && toClient.bytes.count < Self.maximumBytes {
      let reply = toClient.fill(from: server, delay: delay)
      if losing == .ofTheReply && !reply.isEmpty { return lose(board) }
    }
    toServer.drain(into: server)
    toClient.drain(into: client)
    if losing == .atOnce && toServer.bytes.isEmpty { return lose(board) }
    // What the server says last is passed on.
    isOver = toServer.hasEnded || toClient.hasEnded && toClient.bytes.isEmpty
  }

  private func lose(_ board: DatabaseProxy.Board) {
    isOver = true
    board.orders.withLock { $0.lostReplies += 1 }
  }
}

/// What a client sends, cut into messages (PostgreSQL's manual, 55.7): only COMMITs and the start-up matter.
struct FrontendStream {
  private var isStarted = false
  /// Of the message under way: its type (0 at the start), its bytes as far as they matter, and how many are missing.
  private var header: [UInt8] = []
  private var body: [UInt8] = []
  private var missing = 0
  private(set) var applicationName = ""

  /// How many COMMITs, as simple queries, end in these bytes.
  mutating func commits(in bytes: ArraySlice<UInt8>) -> Int {
    var count = 0
    var rest = bytes
    while !rest.isEmpty || missing == 0 && header.count == headerCount {
      if header.count < headerCount {
        header.append(rest.removeFirst())
        guard header.count == headerCount else { continue }
        let length = header.suffix(4).reduce(0) { $0 << 8 | Int($1) }
        (missing, body) = (max(0, length - 4), [])
      }
      let piece = rest.prefix(missing)
      // Start-ups and COMMITs are short.
      if body.count < 1_024 { body += piece.prefix(1_024) }
      missing -= piece.count
      rest = rest.dropFirst(piece.count)
      guard missing == 0 else { break }
      if finish() { count += 1 }
      header = []
    }
    return count
  }

  private var headerCount: Int { isStarted ? 5 : 4 }

  /// Whether the message that has ended is a COMMIT.
  private mutating func finish() -> Bool {
    if isStarted { return header[0] == UInt8(ascii: "Q") && body.elementsEqual(Array("COMMIT\0".utf8)) }
    // Requests for TLS or GSS encryption: the start-up comes after the answer.
    let code = body.prefix(4).reduce(0) { $0 << 8 | Int($1) }
    guard code != 80_877_103 && code != 80_877_104 else { return false }
    isStarted = true
    let words = body.dropFirst(4).split(separator: 0, omittingEmptySubsequences: false).map {
      String(decoding: $0, as: UTF8.self)
    }
    if let name = words.firstIndex(of: "application_name"), name + 1 < words.count { applicationName = words[name + 1] }
    return false
  }
}
