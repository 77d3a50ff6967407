import Postgres

/// Which tenants a router decides for: they are shared out among the routers that are alive.
public struct RouteLeases: Sendable {
  public let owner: String
  public let seconds: Double

  public init(owner: String, seconds: Double) {
    self.owner = owner
    self.seconds = seconds
  }

  /// Renews what this router holds up to its fair share, gives the rest back, takes what nobody holds up to the share, and returns
  /// what it has now, and all that there are.
  public func renew(on db: isolated PostgresConnection) throws(PostgresFault) -> (held: Set<String>, all: Set<String>) {
    let parameters: [PostgresParameter] = [.text(owner), .int8(Int64(bitPattern: seconds.bitPattern))]
    try db.send(Queries.named("route_tenants"))
    try db.send(Queries.named("route_heartbeat"), parameters)
    let held = try db.query(Queries.named("route_lease"), parameters)
    let all = try db.query(Queries.named("route_leased"))
    return (Set((0..<held.count).map { held.text($0, 0) }), Set((0..<all.count).map { all.text($0, 0) }))
  }

  /// On shutdown: nobody has to wait for the leases to run out.
  public func release(on db: isolated PostgresConnection) throws(PostgresFault) {
    try db.send(Queries.named("route_lease_release"), [.text(owner)])
  }
}
