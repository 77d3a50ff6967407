import CText

/// Telephone numbers in one form.
public enum PhoneNumber {
  private static let maximumBytes = 64

  /// E.164 by libphonenumber, or nil when the text cannot be a number, has an extension, or is over 64 bytes.
  ///
  /// `region` (ISO 3166 alpha-2) is for numbers without country code. A text that already is "+" and 8 to 15 digits comes back as
  /// it is without the library's 30 µs, but for Mexico's old mobile prefix +52 1, which the library takes out.
  public static func e164(_ text: String, region: String? = nil) -> String? {
    var text = text
    return text.withUTF8 { utf8 in
      guard utf8.count <= maximumBytes else { return nil }
      if isE164(utf8), !utf8.starts(with: "+521".utf8) { return String(decoding: utf8, as: UTF8.self) }
      return withUnsafeTemporaryAllocation(of: CChar.self, capacity: 20) { output in
        let length = utf8.withMemoryRebound(to: CChar.self) {
          ct_phone_e164($0.baseAddress, $0.count, regionCode(region), output.baseAddress, output.count)
        }
        let number = UnsafeRawBufferPointer(output).prefix(length)
        guard isE164(number) else { return nil }
        let result = String(decoding: number, as: UTF8.self)
        // The old prefix may stand twice; a number has one form.
        return result.hasPrefix("+521") && !utf8.elementsEqual(number) ? e164(result) : result
      }
    }
  }

  private static func isE164(_ text: some Collection<UInt8>) -> Bool {
    let digits = text.dropFirst()
    return text.first == UInt8(ascii: "+") && (8...15).contains(digits.count) && digits.first != UInt8(ascii: "0")
      && digits.allSatisfy { $0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9") }
  }

  private static func regionCode(_ region: String?) -> String {
    guard let region, region.utf8.count == 2, region.allSatisfy({ $0.isASCII && $0.isLetter }) else { return "ZZ" }
    return region.uppercased()
  }
}
