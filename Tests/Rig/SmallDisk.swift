import Foundation

/// A file system of its own for a database, which can be made full: a tmpfs, where mounting is permitted.
public final class SmallDisk: Sendable {
  private static let roomyKilobytes = 2 << 20
  public let path: String

  private static let prefix = "throughline-disk-"

  /// Nil where this process may not mount.
  public init?() {
    Self.sweep()
    path = "/tmp/\(Self.prefix)\(getpid())-\(UUID().uuidString.prefix(8))"
    guard geteuid() == 0, let user = getpwnam("postgres"), mkdir(path, 0o700) == 0 else { return nil }
    guard mount("tmpfs", path, "tmpfs", 0, "size=\(Self.roomyKilobytes)k,mode=0700,uid=\(user.pointee.pw_uid)") == 0 else {
      rmdir(path)
      return nil
    }
  }

  /// Whether one can be made here.
  public static var isPermitted: Bool {
    guard let disk = SmallDisk() else { return false }
    disk.close()
    return true
  }

  /// Leaves no room at all: what grows from now on fails with "no space left on device".
  public func fill() throws {
    for _ in 0..<100 {
      var numbers = statvfs()
      guard statvfs(path, &numbers) == 0 else { break }
      let used = (UInt(numbers.f_blocks) - UInt(numbers.f_bfree)) * UInt(numbers.f_frsize) / 1_024
      // Refused when it has grown meanwhile.
      if resize(Int(used)) { return }
    }
    throw RigFault("the disk can not be made full: errno \(errno)")
  }

  /// Gives the room back.
  public func free() { _ = resize(Self.roomyKilobytes) }

  private func resize(_ kilobytes: Int) -> Bool {
    mount("tmpfs", path, "tmpfs", UInt(MS_REMOUNT), "size=\(kilobytes)k") == 0
  }

  /// For the time after the server has ended.
  public func close() { Self.remove(path) }

  private static func remove(_ path: String) {
    umount2(path, Int32(MNT_DETACH))
    rmdir(path)
  }

  /// What owners left behind that were killed.
  private static func sweep() {
    for name in (try? FileManager.default.contentsOfDirectory(atPath: "/tmp")) ?? [] where name.hasPrefix(prefix) {
      let owner = pid_t(name.dropFirst(prefix.count).prefix { $0 != "-" })
      if let owner, kill(owner, 0) != 0 { remove("/tmp/" + name) }
    }
  }
}
