import Postgres

/// Which tenants a router decides for.
public struct RouteLeases: Sendable {
  public let owner: String
  public let seconds: Double

  public init(owner: String, seconds: Double) {
    self.owner = owner
    self.seconds = seconds
  }

  /// Renews what this router holds, takes what nobody does, and returns all of it.
  public func renew(on db: isolated PostgresConnection) throws(PostgresFault) -> Set<String> {
    _ = try db.query(Queries.named("route_tenants"))
    let rows = try db.query(
      Queries.named("route_lease"), [.text(owner), .int8(Int64(bitPattern: seconds.bitPattern))])
    return Set((0..<rows.count).map { rows.text($0, 0) })
  }

  /// On shutdown: nobody has to wait for the leases to run out.
  public func release(on db: isolated PostgresConnection) throws(PostgresFault) {
    _ = try db.query(Queries.named("route_lease_release"), [.text(owner)])
  }
}
