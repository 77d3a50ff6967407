/// 16 bytes in big-endian order: the raw form of ids and hashes.
public struct Bytes16: Hashable, Sendable, Comparable {
  public var high: UInt64
  public var low: UInt64

  public init(high: UInt64, low: UInt64) {
    self.high = high
    self.low = low
  }

  /// The first 16 bytes of `bytes`; nil when there are fewer.
  public init?(_ bytes: some Collection<UInt8>) {
    guard bytes.count >= 16 else { return nil }
    var high: UInt64 = 0
    var low: UInt64 = 0
    for (position, byte) in bytes.prefix(16).enumerated() {
      if position < 8 { high = high << 8 | UInt64(byte) } else { low = low << 8 | UInt64(byte) }
    }
    self.init(high: high, low: low)
  }

  /// The order PostgreSQL gives the type `uuid`.
  public static func < (a: Self, b: Self) -> Bool { a.high != b.high ? a.high < b.high : a.low < b.low }
}

/// A key of 16 bytes. Dictionaries of a batch hash them some hundred times for a message: `_rawHashValue` is the standard library's hook
/// for types that can do so in one go, as its integers do, with no less protection from those who choose their keys.
public protocol Key16: Hashable, Sendable, Comparable {
  var raw: Bytes16 { get }
}

extension Key16 {
  public func hash(into hasher: inout Hasher) { hasher.combine(raw) }
  public func _rawHashValue(seed: Int) -> Int { raw.low._rawHashValue(seed: seed ^ Int(truncatingIfNeeded: raw.high)) }
  public static func < (a: Self, b: Self) -> Bool { a.raw < b.raw }
}

/// An id made by a worker: UUIDv7 (RFC 9562).
public struct ID: Key16, CustomStringConvertible {
  public var raw: Bytes16

  public init(_ raw: Bytes16) { self.raw = raw }

  /// The canonical text form, or nil.
  public init?(_ text: String) {
    var nibbles: [UInt8] = []
    nibbles.reserveCapacity(32)
    for (position, byte) in text.utf8.enumerated() {
      if position == 8 || position == 13 || position == 18 || position == 23 {
        guard byte == UInt8(ascii: "-") else { return nil }
        continue
      }
      guard let nibble = Character(UnicodeScalar(byte)).hexDigitValue else { return nil }
      nibbles.append(UInt8(nibble))
    }
    guard nibbles.count == 32,
      let raw = Bytes16(stride(from: 0, to: 32, by: 2).map { nibbles[$0] << 4 | nibbles[$0 + 1] })
    else { return nil }
    self.raw = raw
  }

  public var description: String {
    String(unsafeUninitializedCapacity: Self.characters) { out in
      write(to: UnsafeMutableRawBufferPointer(out))
      return Self.characters
    }
  }

  static let characters = 36

  /// The canonical text form.
  func write(to out: UnsafeMutableRawBufferPointer) {
    func put<Digits: FixedWidthInteger>(_ digits: Digits, _ position: Int) {
      out.storeBytes(of: digits.bigEndian, toByteOffset: position, as: Digits.self)
    }
    let (second, third) = (Self.digits(raw.high), Self.digits(raw.low >> 32))
    put(Self.digits(raw.high >> 32), 0)
    put(UInt32(truncatingIfNeeded: second >> 32), 9)
    put(UInt32(truncatingIfNeeded: second), 14)
    put(UInt32(truncatingIfNeeded: third >> 32), 19)
    put(UInt32(truncatingIfNeeded: third), 24)
    put(Self.digits(raw.low), 28)
    for position in [8, 13, 18, 23] { out[position] = UInt8(ascii: "-") }
  }

  /// The lower half of `word` in eight hexadecimal digits, a byte each, the first in the highest.
  private static func digits(_ word: UInt64) -> UInt64 {
    var nibbles = word & 0xffff_ffff
    nibbles = (nibbles | nibbles << 16) & 0x0000_ffff_0000_ffff
    nibbles = (nibbles | nibbles << 8) & 0x00ff_00ff_00ff_00ff
    nibbles = (nibbles | nibbles << 4) & 0x0f0f_0f0f_0f0f_0f0f
    let letters = (nibbles + 0x0606_0606_0606_0606) >> 4 & 0x0101_0101_0101_0101
    return nibbles + 0x3030_3030_3030_3030 + letters * 39
  }
}

/// Makes UUIDv7 ids that grow within one generator, from a time and random bits that the caller supplies.
public struct IDGenerator: Sendable {
  private var milliseconds: UInt64
  private var counter: UInt16 = 0
  private var random: SplitMix64

  /// - Parameters:
  ///   - milliseconds: Unix time in milliseconds.
  ///   - seed: 64 random bits, never used twice in production.
  public init(milliseconds: UInt64, seed: UInt64) {
    self.milliseconds = milliseconds
    random = SplitMix64(seed: seed)
  }

  public mutating func next() -> ID {
    if counter == 0xfff {
      counter = 0
      milliseconds += 1
    } else {
      counter += 1
    }
    let high = milliseconds << 16 | 0x7000 | UInt64(counter)
    let low = random.next() & 0x3fff_ffff_ffff_ffff | 0x8000_0000_0000_0000
    return ID(Bytes16(high: high, low: low))
  }
}

/// A small seedable generator (Steele, Lea and Flood, 2014): for ids beside a clock, for jitter and for tests, never for secrets.
public struct SplitMix64: RandomNumberGenerator, Sendable {
  private var state: UInt64
  public init(seed: UInt64) { state = seed }
  public mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }
}

/// The hash of what makes a delivery the same: two events of a tenant with the same key are one event.
public struct MessageKey: Key16 {
  public var raw: Bytes16
  public init(_ raw: Bytes16) { self.raw = raw }
  /// Two deliveries of a provider's message are the same if they have the name that others refer to it by. Mail has keys of its own.
  public init(_ name: ReferenceKey) { self.init(name.raw) }
}

/// The hash of an id by which a provider or a mail program refers to a message, a session or a call.
public struct ReferenceKey: Key16 {
  public var raw: Bytes16
  public init(_ raw: Bytes16) { self.raw = raw }
}
