import Canonical
import Kafka
import Logging
import Postgres

/// A day at the desk of a shop, played against running workers: six scenes that have to end as they must, among everybody else's traffic.
///
/// It stands outside: it publishes what adapters and desktops publish, reads the workers' events as these do, and the database as readers
/// do. The workers must run under `routingPolicy`, with a secret for links. Nothing in it waits for time to pass: every wait is for a
/// condition, and ends with a failed expectation when that does not come.
public final class SampleDay: Sendable {
  /// What the scenes rely on, as a policy file (`deploy/routing.yaml`).
  public static let routingPolicy = """
    version: 1
    channels:
      voice: {units: 50}
      email: {units: 20}
      form: {units: 20}
      default: {units: 25}
    queues:
      - id: key_accounts
        name: Key accounts
        match: {organization: true}
        prefer: [account_manager, last_agent]
        hold_seconds: 120
        agents: {teams: [key_accounts]}
      - id: from_bots
        name: Handed off by a bot
        match: {handoff: true}
        agents: {teams: [support]}
      - id: shoes
        name: Shoes
        match: {account: ["\(Shop.shoePage)"]}
        skills: {"product:shoes": 3}
      - {id: spanish, name: Español, match: {language: [es]}, skills: {"language:es": 3}, agents: {teams: [support]}}
      - {id: german, name: Deutsch, match: {language: [de]}, skills: {"language:de": 4}, agents: {teams: [support]}}
      - {id: french, name: Français, match: {language: [fr]}, skills: {"language:fr": 4}, agents: {teams: [support]}}
      - {id: italian, name: Italiano, match: {language: [it]}, skills: {"language:it": 4}, agents: {teams: [support]}}
      - {id: portuguese, name: Português, match: {language: [pt]}, skills: {"language:pt": 4}, agents: {teams: [support]}}
      - {id: arabic, name: Arabic, match: {language: [ar]}, skills: {"language:ar": 4}, agents: {teams: [support]}}
      - id: whatsapp
        name: WhatsApp
        match: {channel: [whatsapp]}
        offer: {accept_within_seconds: 20}
        agents: {teams: [support]}
      - id: general
        name: General
        prefer: [last_agent]
        hold_seconds: 10
        agents: {teams: [support]}
    bots:
      - {channel: chat, account: \(Shop.helpWidget), bot: \(BotGivesUp.bot)}
      - {channel: bot, account: \(Shop.faqBot), bot: \(Shop.faqBot)}

    """

  /// What it listens to, without prefix; the workers publish there.
  public static let topics =
    ["conversation.events", "routing.events"]
    + [Channel.bot, .chat, .email, .form, .instagram, .messenger, .sms, .voice, .whatsapp, .x].map { "outbound." + $0.rawValue }

  private static let seed: UInt64 = 20_260_512
  private let kafka: KafkaConfiguration
  private let databaseURL: String
  private let topicPrefix: String
  private let logger: Logger
  private let isTerminal: Bool
  private let output: @Sendable (String) -> Void

  /// - Parameters:
  ///   - isTerminal: one line that changes, and colours; otherwise a line every few seconds, and none.
  ///   - output: gets the text, line breaks included.
  public init(
    kafka: KafkaConfiguration, databaseURL: String, topicPrefix: String = "", logger: Logger, isTerminal: Bool,
    output: @escaping @Sendable (String) -> Void
  ) {
    self.kafka = kafka
    self.databaseURL = databaseURL
    self.topicPrefix = topicPrefix
    self.logger = logger
    self.isTerminal = isTerminal
    self.output = output
  }

  /// Plays the day, and judges it when it is over: the six scenes and everybody else's, in this order.
  public func run() async throws -> [SceneResult] {
    let publisher = try Publisher(kafka: kafka, topicPrefix: topicPrefix)
    let staff = try DeskStaff(kafka: kafka, topicPrefix: topicPrefix, logger: logger)
    let db = PostgresConnection(
      url: databaseURL, applicationName: "throughline-demo", settings: ["jit = off", "statement_timeout = '30s'"])
    let stage = Stage(publisher: publisher, adapters: Adapters(publisher: publisher, seed: Self.seed), staff: staff, db: db)
    stage.script(
      WrongShoes.script + SocialToPhone.script + AccountManager.script + BotGivesUp.script + PublicComplaint.script
        + Impostor.script)
    let desk = Desk(stage: stage)
    let results: [SceneResult]
    do {
      results = try await withThrowingTaskGroup(of: [SceneResult]?.self) { group in
        group.addTask { [kafka, topicPrefix] in
          try await stage.events.listen(kafka, topics: Self.topics, topicPrefix: topicPrefix) { events in
            desk.hear(events)
            try await stage.adapters.hear(events)
          }
          return nil
        }
        group.addTask {
          try await desk.work()
          return nil
        }
        group.addTask {
          await staff.keepOnline()
          return nil
        }
        group.addTask {
          await self.show(stage.progress)
          return nil
        }
        group.addTask { try await self.play(on: stage) }
        // The first to end is the play, or somebody without whom it can not go on.
        defer { group.cancelAll() }
        while let ended = try await group.next() {
          if let results = ended { return results }
        }
        return []
      }
    } catch {
      await publisher.close()
      await db.close()
      throw error
    }
    await publisher.close()
    await db.close()
    return results
  }

  private func play(on stage: Stage) async throws -> [SceneResult] {
    stage.progress.note("07:30  the agents come in")
    let expected = Int64(DeskStaff.members.count { !$0.startsLater })
    try await stage.wait(until: "agents at their desks") { try await stage.totals().agentsOnline >= expected }
    let everybody = Everybody(on: stage, seed: Self.seed)
    let acts: [(titles: [String], play: @Sendable () async throws -> [Verdict])] = [
      (
        ["The wrong shoes", "The impostor"],
        {
          var shoes = WrongShoes(on: stage)
          try await shoes.play()
          let impostor = try await Impostor.play(against: shoes)
          try await shoes.close()
          return [shoes.verdict, impostor]
        }
      ),
      (["Social to chat to phone"], { [try await SocialToPhone.play(on: stage)] }),
      (["The portal and the account manager"], { [try await AccountManager.play(on: stage)] }),
      (["The bot that gives up"], { [try await BotGivesUp.play(on: stage)] }),
      (["The public complaint"], { [try await PublicComplaint.play(on: stage)] }),
      (
        ["Everybody else"],
        {
          try await everybody.write()
          return [everybody.verdict]
        }
      ),
    ]
    var verdicts = try await withThrowingTaskGroup(of: (Int, [Verdict]).self) { group in
      for (number, act) in acts.enumerated() {
        group.addTask { (number, try await Self.caught(act.titles, act.play)) }
      }
      return try await group.reduce(into: [[Verdict]](repeating: [], count: acts.count)) { $0[$1.0] = $1.1 }
    }
    // Told last of the scenes, as it is the one that must not work.
    verdicts.insert([verdicts[0].removeLast()], at: verdicts.count - 1)
    verdicts.append(
      try await Self.caught(["Closing time"]) {
        try await everybody.close()
        return []
      })
    var results: [SceneResult] = []
    for verdict in verdicts.joined() {
      do {
        results.append(try await verdict.judge())
      } catch let late as Stage.Late {
        results.append(SceneResult(verdict.title, late))
      }
    }
    return results
  }

  /// What does not come to its end is as it must not be.
  private static func caught(_ titles: [String], _ play: () async throws -> [Verdict]) async throws -> [Verdict] {
    do {
      return try await play()
    } catch let late as Stage.Late {
      return titles.map { title in Verdict(title) { SceneResult(title, late) } }
    }
  }

  // MARK: - Output

  private func show(_ progress: Progress) async {
    var shown = ""
    while !Task.isCancelled {
      let latest = progress.latest
      if latest != shown {
        shown = latest
        output(isTerminal ? "\r\u{1b}[K" + latest.prefix(99) : latest + "\n")
      }
      try? await Task.sleep(for: isTerminal ? .milliseconds(100) : .seconds(3))
    }
    if isTerminal { output("\r\u{1b}[K") }
  }

  /// What a reader gets at the end.
  public func report(_ results: [SceneResult]) {
    output("\nThe sample day of a shop. What is ticked was read from the database and from the workers' events afterwards.\n\n")
    for result in results { output(render(result)) }
    let good = results.count(where: \.isAsItMustBe)
    output("\(mark(good == results.count)) \(good) of \(results.count) are as they must be.\n")
  }

  private func render(_ result: SceneResult) -> String {
    let title = isTerminal ? "\u{1b}[1m\(result.title)\u{1b}[0m" : result.title
    let expectations = result.expectations.map { "    \(mark($0.holds)) \($0.name)" }
    let story = result.story.map { $0.isEmpty ? "" : "    " + $0 }
    return ([mark(result.isAsItMustBe) + " " + title] + expectations + (story.isEmpty ? [] : [""] + story) + ["", ""])
      .joined(separator: "\n")
  }

  private func mark(_ holds: Bool) -> String {
    guard isTerminal else { return holds ? "✔" : "✘" }
    return holds ? "\u{1b}[32m✔\u{1b}[0m" : "\u{1b}[31m✘\u{1b}[0m"
  }
}
