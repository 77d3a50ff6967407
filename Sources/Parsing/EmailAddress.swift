import CIDN2

/// E-mail addresses in one form.
public enum EmailAddress {
  private static let maximumOctets = 254

  /// Lower case, the domain in ASCII by IDNA 2008 (libidn2, non-transitional), plus tag and Gmail dots kept; nil when it is no
  /// address or over 254 octets (RFC 5321).
  public static func normalise(_ text: String) -> String? {
    // Bounds the work; a name in Unicode shrinks at most fourfold on its way to ASCII.
    guard text.utf8.count <= 4 * maximumOctets else { return nil }
    let address = text.trimmingSpaces
    guard let at = address.lastIndex(of: "@") else { return nil }
    let local = address[..<at]
    guard !local.isEmpty, local.unicodeScalars.allSatisfy(isAllowed) else { return nil }
    let isQuoted = local.utf8.count > 2 && local.first == "\"" && local.last == "\""
    guard isQuoted || !local.contains(where: { "@\"<>(),;:\\[]".contains($0) }) else { return nil }
    guard let domain = asciiDomain(address[address.index(after: at)...]) else { return nil }
    let result = local.lowercased() + "@" + domain
    return result.utf8.count <= maximumOctets ? result : nil
  }

  /// No spaces and no control or format characters, which would make two addresses that look alike.
  private static func isAllowed(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.properties.generalCategory {
    case .control, .format, .spaceSeparator, .lineSeparator, .paragraphSeparator, .unassigned, .surrogate, .privateUse: false
    default: true
    }
  }

  private static func asciiDomain(_ domain: Substring) -> String? {
    let isPlain = domain.utf8.allSatisfy { $0 < 0x80 } && !domain.lowercased().contains("xn--")
    // libidn2 also refuses "--" in the third place, which plain names do have.
    guard let name = isPlain ? domain.lowercased() : lookup(String(domain)) else { return nil }
    let labels = name.split(separator: ".", omittingEmptySubsequences: false)
    let isName = labels.allSatisfy { label in
      (1...63).contains(label.utf8.count) && label.first != "-" && label.last != "-"
        && label.utf8.allSatisfy { byte in
          switch byte {
          case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"):
            true
          default: false
          }
        }
    }
    return isName ? name : nil
  }

  private static func lookup(_ domain: String) -> String? {
    guard !domain.utf8.contains(0) else { return nil }
    var output: UnsafeMutablePointer<UInt8>?
    let flags = Int32(IDN2_NFC_INPUT.rawValue | IDN2_NONTRANSITIONAL.rawValue)
    let status = domain.withCString(encodedAs: UTF8.self) { idn2_lookup_u8($0, &output, flags) }
    defer { idn2_free(output) }
    guard status == IDN2_OK.rawValue, let output else { return nil }
    return String(cString: output)
  }
}

extension String {
  /// Without ASCII white space at both ends.
  var trimmingSpaces: String {
    let isSpace = { (byte: UInt8) in byte == 0x20 || (0x09...0x0D).contains(byte) }
    guard let first = utf8.firstIndex(where: { !isSpace($0) }), let last = utf8.lastIndex(where: { !isSpace($0) }) else {
      return ""
    }
    return String(self[first...last])
  }
}
