import Blocking
import CPostgres
import Glibc

/// A PostgreSQL server for development and tests, gone with its data when its owner ends, however it ends.
///
/// It listens on a socket in a directory of its own, as the user `postgres` where the owner is root (PostgreSQL refuses root).
public final class ThrowawayServer: Sendable {
  public struct Fault: Error, Sendable, CustomStringConvertible {
    public let description: String
  }

  /// A libpq URL of the database `postgres`.
  public var url: String { "postgresql://throughline@\(directory.split(separator: "/").reduce("") { $0 + "%2F" + $1 })/postgres" }
  public let directory: String
  private let process: pid_t
  /// The server dies with the thread that started it, so that thread lives as long as this object.
  private let keeper: ServerKeeper

  /// The supervisor outlives nobody: the kernel tells it when its parent ends (even by `kill -9`), it stops the server and removes the
  /// directory. The order of the two `setpriv` matters: changing the user clears the signal.
  private static let supervisor = """
    server=0
    stop() { trap '' INT TERM; [ $server = 0 ] || kill -INT $server 2>/dev/null; wait $server 2>/dev/null; cd /; rm -rf "$1"; exit 0; }
    trap 'stop "$1"' INT TERM
    "$2/initdb" -D "$1/data" -U throughline -A trust -E UTF8 --locale=C.UTF-8 --no-sync --no-instructions >"$1/log" 2>&1 || exit 1
    while :; do
      setpriv --pdeathsig INT "$2/postgres" -D "$1/data" -k "$1" -c listen_addresses= -c max_connections=200 $3 >>"$1/log" 2>&1 &
      server=$!
      wait $server
      server=0
      [ -e "$1/held" ] || stop "$1"
      while [ -e "$1/held" ]; do sleep 0.05; done
    done
    """

  /// Starts a server and waits until it answers.
  ///
  /// - Parameter options: more arguments for `postgres`, such as `-c fsync=off`.
  public init(options: String = "-c fsync=off") async throws {
    guard let binaries = Self.binaries() else {
      throw Fault(description: "no PostgreSQL server below /usr/lib/postgresql: install the package postgresql")
    }
    var template = Array("/tmp/throughline-pg.XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { throw Fault(description: "can not make a directory in /tmp: \(Self.error())") }
    let directory = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    self.directory = directory
    var arguments = [
      "setpriv", "--pdeathsig", "TERM", "sh", "-c", Self.supervisor, "throughline-postgres", directory, binaries, options,
    ]
    if geteuid() == 0 {
      guard let user = getpwnam("postgres"), chown(directory, user.pointee.pw_uid, user.pointee.pw_gid) == 0 else {
        throw Fault(description: "there is no user postgres to run the server as: install the package postgresql")
      }
      arguments = ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups"] + arguments
    }
    // As another user, initdb and postgres must be able to stat where they are.
    arguments = ["env", "--chdir=/"] + arguments
    keeper = ServerKeeper()
    process = await keeper.spawn(arguments)
    guard process > 0 else { throw Fault(description: "can not start setpriv: \(Self.error())") }
    try await waitUntilReady()
  }

  deinit { kill(process, SIGTERM) }

  /// Stops the server and waits until it and its directory are gone.
  public func stop() async {
    kill(process, SIGTERM)
    await keeper.wait(for: process)
  }

  /// Ends the server at once, as a crash does: connections break, nothing is written any more. The data stay for `restart`.
  public func crash() async throws {
    let held = open("\(directory)/held", O_CREAT | O_WRONLY | O_CLOEXEC, 0o644)
    guard held >= 0, let server = pid() else { throw Fault(description: "there is no server to crash: \(Self.error())") }
    close(held)
    kill(server, SIGQUIT)
    for _ in 0..<600 {
      if kill(server, 0) != 0 { return }
      try await Task.sleep(for: .milliseconds(20))
    }
    throw Fault(description: "PostgreSQL does not end; its log is \(directory)/log")
  }

  /// Starts it again on the same data after `crash`, and waits until it has recovered and answers.
  public func restart() async throws {
    unlink("\(directory)/held")
    try await waitUntilReady()
  }

  /// The server's main process, for tests that signal it; nil when there is none.
  public func pid() -> pid_t? {
    guard let file = fopen("\(directory)/data/postmaster.pid", "r") else { return nil }
    defer { fclose(file) }
    var line = [CChar](repeating: 0, count: 32)
    guard fgets(&line, 32, file) != nil else { return nil }
    return pid_t(String(decoding: line.prefix { $0 != 10 && $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self))
  }

  private func waitUntilReady() async throws {
    let db = PostgresConnection(url: url + "?target_session_attrs=any", applicationName: "throughline-wait")
    for _ in 0..<600 {
      if (try? await db.connect()) != nil {
        await db.close()
        return
      }
      if await keeper.hasEnded(process) { break }
      try await Task.sleep(for: .milliseconds(50))
    }
    throw Fault(description: "PostgreSQL did not start; its log is \(directory)/log")
  }

  private static func binaries() -> String? {
    guard let folder = opendir("/usr/lib/postgresql") else { return nil }
    defer { closedir(folder) }
    var versions: [Int] = []
    while let entry = readdir(folder) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if let version = Int(name), access("/usr/lib/postgresql/\(name)/bin/initdb", X_OK) == 0 { versions.append(version) }
    }
    return versions.max().map { "/usr/lib/postgresql/\($0)/bin" }
  }

  private static func error() -> String { String(cString: strerror(errno)) }
}

/// Starts a process from a thread that lasts, and waits for it there.
private actor ServerKeeper {
  private let thread = BlockingThread(name: "pg-server")
  nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }
  private var ended: Set<pid_t> = []

  deinit { thread.close() }

  /// The process id, or 0 with `errno` set.
  func spawn(_ arguments: [String]) -> pid_t {
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    // Out of the terminal's group: Ctrl-C is for the owner, who stops the server in order. Signals as a new process has them.
    var signals = sigset_t()
    sigemptyset(&signals)
    posix_spawnattr_setsigmask(&attributes, &signals)
    sigfillset(&signals)
    posix_spawnattr_setsigdefault(&attributes, &signals)
    posix_spawnattr_setflags(
      &attributes, Int16(POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))
    // A socket that listens here would go on listening there.
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    throughline_close_from(&actions, 3)
    var argv: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) } + [nil]
    defer { argv.forEach { free($0) } }
    var pid: pid_t = 0
    let code = posix_spawnp(&pid, arguments[0], &actions, &attributes, &argv, environ)
    if code != 0 { errno = code }
    return code == 0 ? pid : 0
  }

  func wait(for process: pid_t) {
    guard !ended.contains(process) else { return }
    var status: Int32 = 0
    while waitpid(process, &status, 0) < 0 && errno == EINTR {}
    ended.insert(process)
  }

  func hasEnded(_ process: pid_t) -> Bool {
    var status: Int32 = 0
    if !ended.contains(process), waitpid(process, &status, WNOHANG) != 0 { ended.insert(process) }
    return ended.contains(process)
  }
}
