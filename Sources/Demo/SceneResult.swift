/// A fact that must hold when a scene has been played, read from the database or from the workers' events.
public struct Expectation: Sendable, Equatable {
  public var name: String
  public var holds: Bool

  public init(_ name: String, _ holds: Bool) {
    self.name = name
    self.holds = holds
  }
}

/// What became of a scene.
public struct SceneResult: Sendable, Equatable {
  public var title: String
  public var expectations: [Expectation]
  /// Lines for a reader: who it was, the timeline, what was refused.
  public var story: [String]

  public init(_ title: String, _ expectations: [Expectation], story: [String]) {
    self.title = title
    self.expectations = expectations
    self.story = story
  }

  init(_ title: String, _ late: Stage.Late) {
    self.init(title, [Expectation("it comes to its end: \(late)", false)], story: [])
  }

  /// Everything holds, and there was something to hold.
  public var isAsItMustBe: Bool { !expectations.isEmpty && expectations.allSatisfy(\.holds) }
}

/// How a scene is judged by what is there at the end of the day.
struct Verdict: Sendable {
  let title: String
  let judge: @Sendable () async throws -> SceneResult

  init(_ title: String, _ judge: @escaping @Sendable () async throws -> SceneResult) {
    self.title = title
    self.judge = judge
  }
}
