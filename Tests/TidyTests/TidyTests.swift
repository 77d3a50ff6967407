import Foundation
import Testing

/// The package as it is.
@Suite struct TidyTests {
  private static let sources = Result { try Package.sources() }

  /// What a rule finds in the sources of the package.
  private func findings(_ rule: (SourceText) -> [String]) throws -> [String] { try Self.sources.get().flatMap(rule) }

  @Test func `targets import what their row of the module table allows`() throws {
    let findings = try findings(Rules.imports)
    #expect(findings == [])
    // A row whose target is gone is a rule that checks nothing.
    let unused = try Set(Rules.imports.keys).subtracting(Self.sources.get().map(\.target))
    #expect(unused == [])
  }

  @Test func `sources have none of the words that have something better`() throws {
    let findings = try findings(Rules.bans)
    #expect(findings == [])
  }

  @Test func `files are short enough to read`() throws {
    let findings = try findings(Rules.size)
    #expect(findings == [])
  }

  @Test func `every public type says what it is`() throws {
    let findings = try findings(Rules.documentation)
    #expect(findings == [])
  }

  @Test func `every statement is run by somebody, and every name has a statement`() throws {
    let files = try Package.files(below: "schemas/queries")
    #expect(files.count > 30)
    let findings = Rules.deadSQL(files: files, sources: try Self.sources.get().filter { $0.target == "Store" })
    #expect(findings == [])
  }

  @Test func `the binary carries every SQL file`() throws {
    let files = try Package.files(below: "schemas").filter { $0.hasSuffix(".sql") }
    let embedded = try Package.text("schemas/embedded.c")
    let findings = Rules.embedding(embedded, files: files.map { String($0.dropFirst("schemas/".count)) })
    #expect(findings == [])
  }

  @Test func `nobody fills SQL in`() throws {
    for path in try Package.files(below: "schemas") where path.hasSuffix(".sql") {
      let findings = Rules.interpolation(path, try Package.text(path))
      #expect(findings == [])
    }
  }

  @Test func `every script runs and says how`() throws {
    let scripts = try Package.files(below: "scripts")
    #expect(!scripts.isEmpty)
    for path in scripts {
      let isExecutable = FileManager.default.isExecutableFile(atPath: Package.root.appending(path: path).path)
      let findings = Rules.script(path, try Package.text(path), isExecutable: isExecutable)
      #expect(findings == [])
    }
  }

  @Test func `nothing lies around at the root`() throws {
    let findings = Rules.topLevel(try FileManager.default.contentsOfDirectory(atPath: Package.root.path))
    #expect(findings == [])
  }
}
