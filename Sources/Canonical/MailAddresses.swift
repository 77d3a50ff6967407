/// Addresses of mail that an operator names: whole ones, or `@domain` for all of one; for all tenants, or for one.
public struct MailAddresses: Sendable, Equatable {
  /// Of each tenant; of all under the empty name.
  private var entries: [String: Set<String>] = [:]

  public init() {}

  /// - Parameter entry: in the normal form of `EmailAddress`.
  public mutating func insert(_ entry: String, of tenant: String?) { entries[tenant ?? "", default: []].insert(entry) }

  /// - Parameter address: in the normal form of `EmailAddress`.
  public func contains(_ address: String, of tenant: String) -> Bool {
    guard !entries.isEmpty, let at = address.lastIndex(of: "@") else { return false }
    let domain = String(address[at...])
    return ["", tenant].contains { name in entries[name].map { $0.contains(address) || $0.contains(domain) } == true }
  }
}
