import CPostgres

/// What went wrong at PostgreSQL, told by SQLSTATE and never by message text.
public struct PostgresFault: Error, Sendable, Equatable, CustomStringConvertible {
  /// Five characters; `08006` where the connection broke without one.
  public let sqlState: String
  /// The server's primary message. It can quote values of a row: never log it where they could be a customer's.
  public let message: String

  public init(sqlState: String, message: String) {
    self.sqlState = sqlState
    self.message = message
  }

  /// For logs: the message only of faults about connections, lost races, names and syntax, which quote no row.
  public var description: String {
    ["40001", "40P01"].contains(sqlState) || ["08", "28", "3D", "3F", "42"].contains(sqlState.prefix(2))
      ? "SQLSTATE \(sqlState): \(message)" : "SQLSTATE \(sqlState)"
  }

  /// What the caller does about it (operations.md, recipe steps 5 and 6).
  public enum Disposition: Sendable, Equatable {
    /// Lost a race or a deadlock: plan again on fresh reads.
    case replan
    /// Connect again, with the partitions paused.
    case reconnect
    /// Took too long: try half of it.
    case halve
    /// The data will never be taken: find the record and make it a dead letter.
    case bisect
    /// The server is short of something: wait.
    case backOff
    /// Our own bug.
    case stop
  }

  public var disposition: Disposition {
    switch sqlState {
    case "40001", "40P01", "23505", "23503", "23514", "23P01": .replan
    // Out of shared memory: fewer locks are needed for fewer records.
    case "57014", "55P03", "53200": .halve
    case "57P01", "57P02", "57P03", "57P05", "25P03", "53300", "25006": .reconnect
    case "23502": .bisect
    default:
      switch sqlState.prefix(2) {
      case "08": .reconnect
      case "22", "54": .bisect
      case "53", "58": .backOff
      default: .stop
      }
    }
  }

  static func connectionLost(_ connection: OpaquePointer?) -> PostgresFault {
    PostgresFault(sqlState: "08006", message: connection.flatMap(PQerrorMessage).map { String(cString: $0) } ?? "out of memory")
  }
}
