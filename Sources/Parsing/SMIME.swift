import CCrypto

/// What is inside of a part `application/pkcs7-mime` (RFC 8551), by OpenSSL. Signatures are not checked: who sent a mail is its
/// domain's to say.
enum SMIME {
  enum Content {
    /// A MIME part with its header.
    case signed([UInt8])
    case encrypted
  }

  /// nil where it is neither, or broken.
  static func content(of bytes: [UInt8]) -> Content? {
    guard let length = Int32(exactly: bytes.count) else { return nil }
    return bytes.withUnsafeBufferPointer { buffer in
      // What went wrong stays with the thread otherwise.
      defer { ERR_clear_error() }
      guard let source = BIO_new_mem_buf(buffer.baseAddress, length) else { return nil }
      defer { BIO_free(source) }
      guard let message = d2i_CMS_bio(source, nil) else { return nil }
      defer { CMS_ContentInfo_free(message) }
      switch OBJ_obj2nid(CMS_get0_type(message)) {
      case NID_pkcs7_signed:
        guard let content = CMS_get0_content(message)?.pointee, let start = ASN1_STRING_get0_data(content) else { return nil }
        return .signed(Array(UnsafeBufferPointer(start: start, count: Int(ASN1_STRING_length(content)))))
      case NID_pkcs7_enveloped, NID_id_smime_ct_authEnvelopedData: return .encrypted
      default: return nil
      }
    }
  }
}
