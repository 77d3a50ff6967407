import Testing

/// The rules themselves: each finds what it is for, and lets the rest pass.
@Suite struct RuleTests {
  private func source(_ text: String, _ path: String = "Sources/Workers/Loop.swift") -> SourceText {
    SourceText(path: path, text: text)
  }

  @Test(arguments: [
    ("Engine", "import Postgres"), ("Canonical", "import FoundationEssentials"), ("Channels", "  import Foundation"),
    ("Workers", "import CRdKafka"), ("Operations", "@_exported import Store"),
    ("Kafka", "internal import struct Postgres.Statement"),
    ("throughline", "import CPostgres"), ("Nowhere", "let x = 1"), ("CRdKafka", "let x = 1"),
    ("Store", "import Synchronization\nimport Kafka"),
  ])
  func `an import that the table does not allow is found`(target: String, text: String) {
    #expect(Rules.imports(source(text, "Sources/\(target)/File.swift")).count >= 1)
  }

  @Test func `imports that the table allows, and what only looks like one, pass`() {
    #expect(
      Rules.imports(
        source("import Engine\n@preconcurrency import Logging\n// import Foundation\nlet s = \"\"\"\n  import Cocoa\n  \"\"\""))
        == [])
    #expect(Rules.imports(source("import Foundation", "Sources/throughline/Dev.swift")) == [])
  }

  @Test(arguments: [
    ("print", "print(1)"), ("print", "\"\\(print(\"x\"))\""), ("try!", "let a = try! f()"), ("as!", "x as! Int"),
    ("fatalError", "fatalError(\"no\")"), ("unchecked Sendable", "final class A: @unchecked Sendable {}"),
    ("unchecked Sendable", "nonisolated(unsafe) var a = 1"), ("sleep", "Thread.sleep(forTimeInterval: 1)"), ("sleep", "sleep(1)"),
    ("sleep", "usleep(1)"), ("Dispatch", "DispatchQueue.main.async {}"), ("Dispatch", "let s = DispatchSemaphore(value: 0)"),
    ("NSLock", "let lock = NSLock()"), ("unstructured task", "Task { await f() }"),
    ("unstructured task", "Task(priority: .high) { f() }"),
    ("unstructured task", "let t = Task<Void, Never> { f() }"), ("unstructured task", "Task.detached { f() }"),
    ("unstructured task", "Task.detached(operation: f)"), ("to-do", "// TODO: later"), ("to-do", "f() // FIXME"),
    ("JSONSerialization", "JSONSerialization.jsonObject(with: data)"),
  ])
  func `a banned word is found, with its line and what to use instead`(name: String, text: String) {
    let findings = Rules.bans(source("import Engine\n\n" + text))
    #expect(findings.count == 1)
    #expect(findings.first?.hasPrefix("Sources/Workers/Loop.swift:3: \(name); instead: ") == true)
  }

  @Test(arguments: [
    "group.addTask { f() }", "try await Task.sleep(for: .seconds(1))", "let a = try? f()", "x as? Int", "// print(1) shows it",
    "let s = \"try! as! DispatchQueue\"", "let s = #\"fatalError(\"no\")\"#", "/* Task { /* nested */ } */ let a = 1",
    "Task.isCancelled",
    "func blueprint(_ a: Int) {}", "pg_sleep(1)", "let task: Task<Void, Never>? = nil", "let s = \"\\\"try!\\\"\"",
  ])
  func `what only looks like a banned word passes`(text: String) {
    #expect(Rules.bans(source(text)) == [])
  }

  @Test func `only the owner of a C handle vouches for itself, and only the command line prints`() {
    let owner = "import CRdKafka\nfinal class Client: @unchecked Sendable {}"
    #expect(Rules.bans(source(owner, "Sources/Kafka/Client.swift")) == [])
    #expect(Rules.bans(source(owner, "Sources/Workers/Client.swift")).count == 1)
    #expect(Rules.bans(source("final class Client: @unchecked Sendable {}", "Sources/Kafka/Client.swift")).count == 1)
    #expect(Rules.bans(source("print(1)", "Sources/throughline/Dev.swift")) == [])
  }

  @Test func `a long file and a long line are found`() {
    let lines = String(repeating: "let a = 1\n", count: Rules.maximumLines)
    #expect(Rules.size(source(lines)) == [])
    #expect(Rules.size(source(lines + "let b = 2\n")) == ["Sources/Workers/Loop.swift: 501 lines"])
    // Columns are characters.
    #expect(Rules.size(source(String(repeating: "ü", count: Rules.maximumColumns) + "\n")) == [])
    #expect(Rules.size(source("\n" + String(repeating: "u", count: 141) + "\n")) == ["Sources/Workers/Loop.swift:2: 141 columns"])
  }

  @Test(arguments: [
    "public struct A {}", "import Engine\n\npublic final class A {}", "// No doc.\npublic enum A {}",
    "/// Doc.\n\npublic protocol A {}",
    "/// Doc.\npublic struct B {}\npublic actor A {}", "@frozen\npublic indirect enum A {}", "public typealias A = Int",
  ])
  func `a public type that says nothing is found`(text: String) {
    let findings = Rules.documentation(source(text))
    #expect(findings.count == 1)
    #expect(findings.first?.hasSuffix(": A does not say what it is") == true)
  }

  @Test func `types that say what they are, nested ones and our own pass`() {
    let text = """
      /// A thing.
      @frozen
      public struct A {
        public enum Kind {}
      }
      struct B {}
      /// Another.
      public final class C {}
      """
    #expect(Rules.documentation(source(text)) == [])
  }

  @Test func `a statement that nobody runs, one that is not there and one without a literal are found`() {
    let store = source("f(Queries.named(\"here\"), Queries.named(\"gone\"))\ng(Queries.named(name))", "Sources/Store/A.swift")
    #expect(
      Rules.deadSQL(files: ["schemas/queries/dead.sql", "schemas/queries/here.sql"], sources: [store]) == [
        "Sources/Store/A.swift:2: a statement is named by a literal", "schemas/queries/dead.sql: nobody runs it",
        "no schemas/queries/gone.sql",
      ])
  }

  @Test func `an embedding that is not the folder is found`() {
    func text(_ files: [(embedded: String, listed: String)], count: Int) -> String {
      let embeds = files.enumerated().map {
        "static const unsigned char file\($0.offset)[] = {\n#embed \"\($0.element.embedded)\"\n};\n"
      }
      let lists = files.enumerated().map { "  {\"\($0.element.listed)\", file\($0.offset), sizeof file\($0.offset)},\n" }
      return embeds.joined() + lists.joined() + "const unsigned long throughline_schema_file_count = \(count);\n"
    }
    let files = ["queries/b.sql", "migrations/a.sql"]
    let (a, b) = (("migrations/a.sql", "migrations/a.sql"), ("queries/b.sql", "queries/b.sql"))
    #expect(Rules.embedding(text([a, b], count: 2), files: files) == [])
    // One file short, one too many, a wrong name, a wrong order, a wrong count, nothing.
    #expect(Rules.embedding(text([a], count: 1), files: files).count == 3)
    #expect(Rules.embedding(text([a, b, ("queries/c.sql", "queries/c.sql")], count: 3), files: files).count == 3)
    #expect(Rules.embedding(text([a, ("queries/b.sql", "queries/c.sql")], count: 2), files: files).count == 1)
    #expect(Rules.embedding(text([b, a], count: 2), files: files).count == 2)
    #expect(Rules.embedding(text([a, b], count: 3), files: files).count == 1)
    #expect(Rules.embedding("", files: files).count == 3)
  }

  @Test(arguments: [#"WHERE id = '\(id)'"#, "FROM ${table}", "LIMIT %d", "= '%s'", "{{ name }}", "= :'name'"])
  func `SQL that somebody fills in is found`(sql: String) {
    #expect(Rules.interpolation("schemas/queries/x.sql", sql).count == 1)
  }

  @Test func `SQL with parameters, casts and patterns passes`() {
    #expect(Rules.interpolation("x.sql", "SELECT $1::text, '{}'::text[], a % b FROM t WHERE x LIKE '%ab%' -- 100 %") == [])
  }

  @Test func `a script that does not run or does not say how is found`() {
    let good = "#!/bin/sh\n# usage: scripts/x FILE   does it\nexit 0\n"
    #expect(Rules.script("scripts/x", good, isExecutable: true) == [])
    #expect(Rules.script("scripts/x", good, isExecutable: false).count == 1)
    #expect(Rules.script("scripts/y", good, isExecutable: true).count == 1)
    #expect(Rules.script("scripts/x", "exit 0\n", isExecutable: true).count == 2)
  }

  @Test func `a name that does not belong at the root is found`() {
    #expect(Rules.topLevel(["Sources", "README.md", ".git", "notes.txt", "Source"]).count == 2)
  }
}
