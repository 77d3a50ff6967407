import Postgres

/// Rows of one of our tables that are made before they are copied: best while the server works on what was sent before.
struct TableRows {
  /// The table with its column list.
  let target: String
  let rows: CopyRows

  init<Row>(_ rows: [Row], of target: String, count columns: Int, _ write: (inout PostgresEncoder, Row) -> Void) {
    var made = CopyRows(columns: columns)
    for row in rows { made.row { write(&$0, row) } }
    self.target = target
    self.rows = made
  }
}

extension PostgresConnection {
  func copy(_ made: TableRows) throws(PostgresFault) {
    guard made.rows.count > 0 else { return }
    try copy(made.rows, into: "throughline." + made.target)
  }

  /// Copies rows into `target`, a table of ours with its column list.
  func copy<Row>(
    _ rows: [Row], into target: String, count columns: Int, _ write: (inout PostgresEncoder, Row) -> Void
  ) throws(PostgresFault) {
    try copy(TableRows(rows, of: target, count: columns, write))
  }
}
