import CIDN2

/// E-mail addresses in one form.
public enum EmailAddress {
  private static let maximumOctets = 254

  /// Lower case, the domain in ASCII by IDNA 2008 (libidn2, non-transitional), plus tag and Gmail dots kept; nil when it is no
  /// address or over 254 octets (RFC 5321).
  public static func normalise(_ text: String) -> String? {
    if let plain = plain(text) { return plain }
    // Bounds the work; a name in Unicode shrinks at most fourfold on its way to ASCII.
    guard text.utf8.count <= 4 * maximumOctets else { return nil }
    let address = text.trimmingSpaces
    // With a mark or a joiner behind it, it is no "@": leaving that out would make two addresses one.
    guard let at = address.utf8.lastIndex(of: UInt8(ascii: "@")), address[at] == "@" else { return nil }
    let local = address[..<at]
    guard !local.isEmpty, local.unicodeScalars.allSatisfy(isAllowed) else { return nil }
    let quote = UInt8(ascii: "\"")
    let isQuoted = local.utf8.count > 2 && local.utf8.first == quote && local.utf8.last == quote
    guard isQuoted || !local.utf8.contains(where: isSpecial) else { return nil }
    guard let domain = asciiDomain(address[address.index(after: at)...]) else { return nil }
    let result = local.lowercased() + "@" + domain
    return result.utf8.count <= maximumOctets ? result : nil
  }

  /// What nearly all addresses are: ASCII letters, digits and marks that mean nothing else, and no name with "--" in the third place,
  /// which may be one in Punycode. Nil for all others, which may be addresses all the same.
  private static func plain(_ text: String) -> String? {
    var text = text
    return text.withUTF8 { bytes -> String? in
      guard bytes.count <= maximumOctets, let at = bytes.firstIndex(of: UInt8(ascii: "@")), at > 0,
        bytes[..<at].allSatisfy({ isPlain($0) || $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: "+") })
      else { return nil }
      var start = at + 1
      while start <= bytes.count {
        let label = bytes[start...].prefix { $0 != UInt8(ascii: ".") }
        let dashes = label.dropFirst(2).prefix(2)
        guard isLabel(label), !dashes.elementsEqual("--".utf8) else { return nil }
        start = label.endIndex + 1
      }
      return String(unsafeUninitializedCapacity: bytes.count) { lowercased in
        for (position, byte) in bytes.enumerated() {
          lowercased[position] = (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) ? byte | 0x20 : byte
        }
        return bytes.count
      }
    }
  }

  private static func isPlain(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
      UInt8(ascii: "-"), UInt8(ascii: "_"):
      true
    default: false
    }
  }

  private static func isLabel(_ label: some BidirectionalCollection<UInt8>) -> Bool {
    (1...63).contains(label.count) && label.first != UInt8(ascii: "-") && label.last != UInt8(ascii: "-")
      && label.allSatisfy(isPlain)
  }

  /// No spaces and no control or format characters, which would make two addresses that look alike.
  private static func isAllowed(_ scalar: Unicode.Scalar) -> Bool {
    if scalar.isASCII { return scalar.value > 0x20 && scalar.value != 0x7F }
    return switch scalar.properties.generalCategory {
    case .control, .format, .spaceSeparator, .lineSeparator, .paragraphSeparator, .unassigned, .surrogate, .privateUse: false
    default: true
    }
  }

  /// Means something else in an address, unless the local part is quoted.
  private static func isSpecial(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "@"), UInt8(ascii: "\""), UInt8(ascii: "<"), UInt8(ascii: ">"), UInt8(ascii: "("), UInt8(ascii: ")"),
      UInt8(ascii: ","), UInt8(ascii: ";"), UInt8(ascii: ":"), UInt8(ascii: "\\"), UInt8(ascii: "["), UInt8(ascii: "]"):
      true
    default: false
    }
  }

  private static func asciiDomain(_ domain: Substring) -> String? {
    let lowercased = domain.lowercased()
    let dot = UInt8(ascii: ".")
    let isPlain =
      lowercased.utf8.allSatisfy { $0 < 0x80 } && !lowercased.utf8.split(separator: dot).contains { $0.starts(with: "xn--".utf8) }
    // libidn2 also refuses "--" in the third place, which plain names do have.
    guard let name = isPlain ? lowercased : lookup(String(domain)) else { return nil }
    let labels = name.utf8.split(separator: dot, omittingEmptySubsequences: false)
    return labels.allSatisfy(isLabel) ? name : nil
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
