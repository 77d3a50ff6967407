import CCrypto

/// Short, stable digests for keys, and keyed ones for signatures.
public enum Digest {
  /// The first 16 bytes of SHA-256 over the parts, each preceded by its length in eight bytes, so that no two lists look the same.
  public static func bytes16(_ parts: [[UInt8]]) -> (high: UInt64, low: UInt64) {
    var input: [UInt8] = []
    input.reserveCapacity(parts.reduce(0) { $0 + 8 + $1.count })
    for part in parts { append(part, count: part.count, to: &input) }
    return hash(input)
  }

  /// The same over the UTF-8 of the parts.
  public static func bytes16(_ parts: [String]) -> (high: UInt64, low: UInt64) {
    var input: [UInt8] = []
    input.reserveCapacity(parts.reduce(0) { $0 + 8 + $1.utf8.count })
    for part in parts { append(part.utf8, count: part.utf8.count, to: &input) }
    return hash(input)
  }

  /// HMAC-SHA256 over the parts, each preceded by its length in eight bytes: 32 bytes.
  public static func authentication(of parts: [[UInt8]], key: [UInt8]) -> [UInt8] {
    var input: [UInt8] = []
    for part in parts { append(part, count: part.count, to: &input) }
    var output = [UInt8](repeating: 0, count: Int(SHA256_DIGEST_LENGTH))
    HMAC(EVP_sha256(), key, Int32(key.count), input, input.count, &output, nil)
    return output
  }

  /// Whether two secrets are equal, in a time that depends on their length alone.
  public static func areEqual(_ a: [UInt8], _ b: [UInt8]) -> Bool {
    a.count == b.count && CRYPTO_memcmp(a, b, a.count) == 0
  }

  private static func append(_ part: some Sequence<UInt8>, count: Int, to input: inout [UInt8]) {
    withUnsafeBytes(of: UInt64(count).bigEndian) { input.append(contentsOf: $0) }
    input.append(contentsOf: part)
  }

  /// Looked up once: `SHA256` does it for every digest, and that costs as much as the digest. Never freed, and not changed by its users.
  private nonisolated(unsafe) static let sha256 = EVP_MD_fetch(nil, "SHA256", nil)

  private static func hash(_ input: [UInt8]) -> (high: UInt64, low: UInt64) {
    var output: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
    let isMade = withUnsafeMutableBytes(of: &output) { EVP_Digest(input, input.count, $0.baseAddress, nil, sha256, nil) }
    // Of zeros, all messages would be one.
    precondition(isMade == 1, "OpenSSL has no SHA-256")
    return (UInt64(bigEndian: output.0), UInt64(bigEndian: output.1))
  }
}
