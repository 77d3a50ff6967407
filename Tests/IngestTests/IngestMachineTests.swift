import Canonical
import Testing

@testable import Store
@testable import Workers

/// Event after event, what the worker is told to do: the machine of `IngestMachine.swift` without Kafka and without a database.
@Suite struct IngestMachineTests {
  // MARK: - The ordinary course

  @Test("A run begins with a poll; a new partition is claimed before it is read")
  func claimsBeforeReading() {
    var run = Run()
    #expect(run.start() == ["poll"])
    #expect(run.on(.assigned([a, b])) == ["claim a b", "poll"])
    #expect(run.on(.polled([])) == ["poll"])
    #expect(run.on(.claimed([a.claim(1, at: 5), b.claim(3, at: nil)])) == ["assign a@5 b@start"])
  }

  @Test("Nothing assigned is answered at once")
  func nothingAssigned() {
    var run = Run()
    _ = run.start()
    #expect(run.on(.assigned([])) == ["assign", "poll"])
  }

  @Test("What is polled is written under its partitions' claims, while the next batch is polled")
  func writesWhilePolling() {
    var run = Run(holding: [a.claim(1, at: 5), b.claim(3, at: 8)])
    #expect(run.on(.polled([a.record(5), a.record(6)])) == ["write a:5 a:6 under a#1", "poll"])
    #expect(run.on(.polled([])) == ["poll"])
    #expect(run.on(.written(.committed(advanced: [a.claim(1, at: 7)], fenced: []))) == ["report a@7"])
  }

  @Test("One batch is in flight and one prepared, no more where that is a small one")
  func oneInFlightOnePrepared() {
    var run = Run(holding: [a.claim(1, at: 5)])
    _ = run.on(.polled([a.record(5)]))
    #expect(run.on(.polled([a.record(6)])) == [], "neither a second write nor another poll")
    #expect(run.on(.tick) == [])
    let next = run.on(.written(.committed(advanced: [a.claim(1, at: 6)], fenced: [])))
    #expect(next == ["write a:6 under a#1", "report a@6", "poll"])
  }

  @Test("Behind a full batch one more is prepared, in its order")
  func oneAhead() {
    var run = Run(holding: [a.claim(1, at: 5), b.claim(3, at: 8)], batchRecords: 2)
    _ = run.on(.polled([a.record(5)]))
    #expect(run.on(.polled([a.record(6), b.record(8)])) == ["poll"])
    #expect(run.on(.polled([a.record(7)])) == [], "and no third")
    let fenced = run.on(.written(.committed(advanced: [a.claim(1, at: 6)], fenced: [b.claim(3, at: 8)])))
    #expect(fenced == ["write a:6 under a#1", "report a@6"], "one of them waits")
    #expect(
      run.on(.written(.committed(advanced: [a.claim(1, at: 7)], fenced: []))) == ["write a:7 under a#1", "report a@7", "poll"])
  }

  @Test("A batch is written under the claims of its own partitions alone")
  func onlyTouchedClaims() {
    var run = Run(holding: [a.claim(1, at: 5), b.claim(3, at: 8)])
    #expect(run.on(.polled([b.record(8)])) == ["write b:8 under b#3", "poll"])
  }

  @Test("Records of a partition that is not claimed are dropped: whoever claims it reads them again")
  func unclaimedRecords() {
    var run = Run(holding: [a.claim(1, at: 5)])
    #expect(run.on(.polled([b.record(1), a.record(5), c.record(2)])) == ["write a:5 under a#1", "poll"])
    var before = Run()
    _ = before.start()
    _ = before.on(.assigned([a]))
    #expect(before.on(.polled([a.record(0)])) == ["poll"])
  }

  // MARK: - Rebalances

  @Test("A revocation lets go at once where nothing is being written")
  func revoked() {
    var run = Run(holding: [a.claim(1, at: 5), b.claim(3, at: 8)])
    #expect(run.on(.revoked) == ["release a#1 b#3", "unassign", "poll"])
    #expect(run.on(.polled([a.record(5)])) == ["poll"], "and nothing is written any more")
  }

  @Test("A revocation waits for the batch in flight, abandons its retries, and drops the prepared one")
  func revokedWhileWriting() {
    var run = Run(holding: [a.claim(1, at: 5)])
    _ = run.on(.polled([a.record(5)]))
    _ = run.on(.polled([a.record(6)]))
    #expect(run.on(.revoked) == ["abandon"])
    #expect(run.on(.tick) == ["abandon"], "no poll: the partitions are not given back before the answer")
    let done = run.on(.written(.committed(advanced: [a.claim(1, at: 6)], fenced: [])))
    #expect(done == ["report a@6", "release a#1", "unassign", "poll"])
  }

  @Test("An abandoned batch is somebody else's")
  func abandoned() {
    var run = Run(holding: [a.claim(1, at: 5)])
    _ = run.on(.polled([a.record(5)]))
    _ = run.on(.revoked)
    #expect(run.on(.written(.abandoned)) == ["release a#1", "unassign", "poll"])
  }

  @Test("A claim under way is abandoned by a revocation, and its answer ignored")
  func staleClaim() {
    var run = Run()
    _ = run.start()
    _ = run.on(.assigned([a]))
    #expect(run.on(.revoked) == ["abandon", "unassign", "poll"])
    #expect(run.on(.claimed([a.claim(1, at: 5)])) == [])
    #expect(run.on(.polled([a.record(5)])) == ["poll"])
  }

  @Test("The answer to a claim of an earlier assignment does not keep the later one from being read")
  func staleClaimOfABiggerAssignment() {
    var run = Run()
    _ = run.start()
    _ = run.on(.assigned([a]))
    _ = run.on(.revoked)
    _ = run.on(.assigned([a, b]))
    _ = run.on(.claimed([a.claim(1, at: 5)]))
    _ = run.on(.polled([]))
    _ = run.on(.claimed([a.claim(2, at: 5), b.claim(1, at: 8)]))
    _ = run.on(.polled([]))
    #expect(run.reading == [a: 5, b: 8])
    #expect(run.on(.polled([a.record(5), b.record(8)])) == ["write a:5 b:8 under a#2 b#1", "poll"])
  }

  @Test("What was read under a claim that has been replaced is read again, not written under the new one")
  func replacedClaim() {
    var run = Run()
    _ = run.start()
    _ = run.on(.assigned([a]))
    _ = run.on(.revoked)
    _ = run.on(.assigned([a]))
    _ = run.on(.claimed([a.claim(1, at: 5)]))
    _ = run.on(.polled([a.record(5)]))
    _ = run.on(.polled([a.record(6)]))
    // The first batch meets the second claim in the database and is left out.
    _ = run.on(.claimed([a.claim(2, at: 5)]))
    _ = run.on(.written(.committed(advanced: [], fenced: [a.claim(1, at: nil)])))
    #expect(run.written(a) == [5] && run.reading == [a: 5])
    #expect(run.on(.polled([a.record(5), a.record(6)])) == ["write a:5 a:6 under a#2", "poll"])
  }

  // MARK: - Fences

  @Test("A fenced partition is claimed again after a second, and sought")
  func fenced() {
    var run = Run(holding: [a.claim(1, at: 5), b.claim(3, at: 8)])
    _ = run.on(.polled([a.record(5), b.record(8)]))
    #expect(run.on(.written(.committed(advanced: [b.claim(3, at: 9)], fenced: [a.claim(1, at: 5)]))) == ["report b@9"])
    #expect(run.on(.polled([a.record(6), b.record(9)])) == ["write b:9 under b#3", "poll"], "its records are dropped meanwhile")
    #expect(run.ticksUntilClaim() == 5)
    #expect(run.on(.tick) == [], "one claim at a time")
    _ = run.on(.claimed([a.claim(4, at: 5)]))
    _ = run.on(.polled([]))
    #expect(run.reading == [a: 5, b: 8])
    #expect(run.log.last(where: { $0.hasPrefix("seek") }) == "seek a@5")
  }

  @Test("What was polled before a partition that is claimed again was sought is not written: it would skip what was dropped")
  func polledBeforeTheSeek() {
    var run = Run(holding: [a.claim(1, at: 5)])
    _ = run.on(.polled([a.record(5)]))
    _ = run.on(.written(.committed(advanced: [], fenced: [a.claim(1, at: 5)])))
    // Dropped, while the position of the consumer moves on.
    _ = run.on(.polled([a.record(6), a.record(7)]))
    _ = run.ticksUntilClaim()
    #expect(run.isPolling, "this poll may have taken records already")
    _ = run.on(.claimed([a.claim(3, at: 5)]))
    _ = run.on(.polled([a.record(8)]))
    #expect(run.written(a) == [5] && run.reading == [a: 5])
    // The next poll is one that began after the seek.
    #expect(run.isPolling && run.on(.polled([a.record(5)])) == ["write a:5 under a#3", "poll"])
  }

  @Test("Every further fence doubles the wait, up to half a minute; a commit begins anew")
  func backoff() {
    var run = Run(holding: [a.claim(1, at: 5)])
    var epoch: Int64 = 1
    func fence(_ run: inout Run) -> Int {
      _ = run.on(.polled([a.record(5)]))
      _ = run.on(.written(.committed(advanced: [], fenced: [a.claim(epoch, at: 5)])))
      let ticks = run.ticksUntilClaim()
      epoch += 2
      _ = run.on(.claimed([a.claim(epoch, at: 5)]))
      _ = run.on(.polled([]))
      return ticks
    }
    var waits: [Int] = []
    for _ in 0..<7 { waits.append(fence(&run)) }
    #expect(waits == [5, 9, 17, 33, 65, 129, 129])
    _ = run.on(.polled([a.record(5)]))
    _ = run.on(.written(.committed(advanced: [a.claim(epoch, at: 6)], fenced: [])))
    #expect(fence(&run) == 5)
  }

  @Test("A fence found after the partition was claimed anew is old news")
  func oldFence() {
    var run = Run(holding: [a.claim(1, at: 5)])
    #expect(run.on(.written(.committed(advanced: [], fenced: [a.claim(0, at: 5)]))) == [])
    #expect(run.on(.polled([a.record(5)])) == ["write a:5 under a#1", "poll"])
  }

  @Test("What is fenced is not claimed again once the assignment is gone")
  func fencedThenRevoked() {
    var run = Run(holding: [a.claim(1, at: 5)])
    _ = run.on(.polled([a.record(5)]))
    _ = run.on(.written(.committed(advanced: [], fenced: [a.claim(1, at: 5)])))
    #expect(run.on(.revoked) == ["unassign", "poll"])
    for _ in 0..<200 { #expect(run.on(.tick) == []) }
  }

  // MARK: - A database that is slow or away

  @Test("A write that is stuck for a second pauses the partitions, and polling goes on to keep the membership")
  func stuck() {
    var run = Run(holding: [a.claim(1, at: 5)])
    _ = run.on(.polled([a.record(5)]))
    _ = run.on(.polled([a.record(6)]))
    for _ in 0..<3 { #expect(run.on(.tick) == []) }
    #expect(run.on(.tick) == ["pause", "poll paused"])
    #expect(run.on(.polled([])) == ["poll paused"])
    #expect(run.on(.tick) == [], "paused once")
    // It gets on: what is prepared is no reason to say that it does not.
    let committed = IngestMachine.Event.written(.committed(advanced: [a.claim(1, at: 6)], fenced: []))
    #expect(run.on(committed) == ["write a:6 under a#1", "report a@6", "resume"])
    #expect(run.on(.written(.committed(advanced: [a.claim(1, at: 7)], fenced: []))) == ["report a@7"])
    #expect(run.on(.polled([])) == ["poll"])
  }

  @Test("A revocation under a pause lets go as any other, and the next assignment is not paused")
  func revokedWhileStuck() {
    var run = Run(holding: [a.claim(1, at: 5)])
    _ = run.on(.polled([a.record(5)]))
    for _ in 0..<4 { _ = run.on(.tick) }
    #expect(run.on(.revoked) == ["abandon"])
    #expect(run.on(.tick) == ["abandon"])
    #expect(run.on(.written(.abandoned)) == ["release a#1", "unassign", "poll"])
    #expect(run.on(.assigned([a])) == ["claim a", "poll"])
  }

  // MARK: - Offsets that are gone

  @Test("A partition whose stored offset is gone is repositioned under its claim, then sought")
  func outOfRange() {
    var run = Run(holding: [a.claim(1, at: 5)])
    #expect(run.on(.outOfRange(a, low: 90, high: 120)) == ["reposition a#1 90 120", "poll"])
    #expect(run.on(.outOfRange(b, low: 1, high: 2)) == ["poll"], "not ours")
    _ = run.on(.repositioned(a, a.claim(1, at: 90)))
    _ = run.on(.polled([]))
    #expect(run.reading == [a: 90])
    #expect(run.on(.polled([a.record(90)])) == ["write a:90 under a#1", "poll"])
  }

  @Test("A partition is repositioned only when what was read of it is committed")
  func outOfRangeWhileWriting() {
    var run = Run(holding: [a.claim(1, at: 5)])
    _ = run.on(.polled([a.record(5)]))
    #expect(run.on(.outOfRange(a, low: 90, high: 120)) == [])
    let done = run.on(.written(.committed(advanced: [a.claim(1, at: 6)], fenced: [])))
    #expect(done == ["report a@6", "reposition a#1 90 120", "poll"])
  }

  @Test("A partition that is to be moved does not wait for all that the others have")
  func movedUnderLoad() {
    var run = Run(holding: [a.claim(1, at: 5), b.claim(3, at: 8)], batchRecords: 1)
    _ = run.on(.polled([b.record(8)]))
    _ = run.on(.polled([b.record(9)]))
    #expect(run.on(.unreadable(a, offset: 5)) == [], "no poll while something is under way")
    #expect(run.on(.written(.committed(advanced: [b.claim(3, at: 9)], fenced: []))) == ["write b:9 under b#3", "report b@9"])
    #expect(run.on(.written(.committed(advanced: [b.claim(3, at: 10)], fenced: []))).contains("step over a#1 5"))
  }

  @Test("A record that Kafka can not hand over is stepped over when nothing before it is under way")
  func unreadable() {
    var run = Run(holding: [a.claim(1, at: 5)])
    _ = run.on(.polled([a.record(5)]))
    #expect(run.on(.unreadable(a, offset: 6)) == [])
    let done = run.on(.written(.committed(advanced: [a.claim(1, at: 6)], fenced: [])))
    #expect(done == ["report a@6", "step over a#1 6", "poll"])
    #expect(run.on(.polled([a.record(7)])) == ["poll"], "what comes after it is read again")
    _ = run.on(.repositioned(a, a.claim(1, at: 7)))
    #expect(run.on(.polled([])) == ["seek a@7", "poll"])
    #expect(run.written(a) == [5])
  }

  @Test("What is said of a partition while it is being moved is old news")
  func movedOnce() {
    var run = Run(holding: [a.claim(1, at: 5)])
    #expect(run.on(.outOfRange(a, low: 90, high: 120)) == ["reposition a#1 90 120", "poll"])
    #expect(run.on(.outOfRange(a, low: 90, high: 120)) == ["poll"])
    #expect(run.on(.repositioned(a, a.claim(1, at: 90))) == [])
    #expect(run.on(.unreadable(a, offset: 5)) == ["seek a@90", "poll"])
    #expect(run.on(.unreadable(a, offset: 90)) == ["step over a#1 90", "poll"])
    #expect(run.on(.unreadable(a, offset: 90)) == ["poll"])
  }

  @Test("A claim that was lost or replaced before it was repositioned is not sought, but claimed again")
  func outOfRangeLost() {
    var run = Run(holding: [a.claim(1, at: 5)])
    _ = run.on(.outOfRange(a, low: 90, high: 120))
    #expect(run.on(.repositioned(a, nil)) == [])
    #expect(run.ticksUntilClaim() == 5)
    _ = run.on(.revoked)
    #expect(run.on(.repositioned(a, a.claim(1, at: 90))) == [])
  }

  // MARK: - Records that end workers

  private let suspect = OffsetClaim(topic: "a", partition: 0, epoch: 9, nextOffset: 5, crashCount: 3)

  @Test("Where three workers have ended at one offset, the next reads one record at a time, each alone")
  func readsAlone() {
    var run = Run()
    _ = run.start()
    _ = run.on(.assigned([a, b]))
    #expect(run.on(.claimed([suspect, b.claim(3, at: 8)])) == [], "a poll is under way: its records would be read together")
    #expect(run.on(.polled([])) == ["assign a@5 b@8", "poll single"])
    #expect(run.on(.fetched(b.record(8).record)) == ["probe b:8 under b#3"], "no poll beside it")
    #expect(run.on(.written(.committed(advanced: [b.claim(3, at: 9)], fenced: []))) == ["report b@9", "poll single"])
    #expect(run.on(.fetched(a.record(5).record)) == ["probe a:5 under a#9"])
    #expect(run.on(.tick) == [])
    #expect(run.on(.written(.committed(advanced: [a.claim(9, at: 6)], fenced: []))) == ["report a@6", "poll single"])
  }

  @Test("Two workers may end at one offset by chance")
  func twoCrashes() {
    var claim = suspect
    claim.crashCount = 2
    var run = Run()
    _ = run.start()
    _ = run.on(.assigned([a]))
    #expect(run.on(.claimed([claim])) == ["assign a@5"])
    #expect(run.on(.polled([])) == ["poll"])
  }

  @Test("The suspicion ends behind what can have been under way when a worker ended, or when there is nothing to read")
  func suspicionEnds() {
    func reading(_ claim: OffsetClaim, ends: [TopicAndPartition: Int64] = [:]) -> Run {
      var run = Run(batchRecords: 10)
      _ = run.start()
      _ = run.on(.assigned([a]))
      _ = run.on(.claimed([claim], ends: ends))
      _ = run.on(.polled([]))
      return run
    }
    var read = reading(suspect)
    for offset in Int64(5)..<34 {
      _ = read.on(.fetched(a.record(offset).record))
      #expect(read.on(.written(.committed(advanced: [a.claim(9, at: offset + 1)], fenced: []))).last == "poll single")
    }
    _ = read.on(.fetched(a.record(34).record))
    #expect(read.on(.written(.committed(advanced: [a.claim(9, at: 35)], fenced: []))).last == "poll")

    // What came after they had ended has ended nobody.
    var short = reading(suspect, ends: [a: 6])
    _ = short.on(.fetched(a.record(5).record))
    #expect(short.on(.written(.committed(advanced: [a.claim(9, at: 6)], fenced: []))).last == "poll")
    #expect(reading(suspect, ends: [a: 5]).log.last == "poll", "nothing was there to be read")
    var unread = suspect
    unread.nextOffset = nil
    #expect(reading(unread, ends: [a: 0]).log.last == "poll", "nor has anything ever been")
    #expect(reading(unread, ends: [a: 1]).log.last == "poll single")

    // A neighbour that is never quiet does not keep the suspicion of one that is.
    var busy = Run(batchRecords: 10)
    _ = busy.start()
    _ = busy.on(.assigned([a, b]))
    _ = busy.on(.claimed([suspect, b.claim(3, at: 0)]))
    _ = busy.on(.polled([]))
    for offset in Int64(0)..<29 {
      _ = busy.on(.fetched(b.record(offset).record))
      #expect(busy.on(.written(.committed(advanced: [b.claim(3, at: offset + 1)], fenced: []))).last == "poll single")
    }
    _ = busy.on(.fetched(b.record(29).record))
    #expect(
      busy.on(.written(.committed(advanced: [b.claim(3, at: 30)], fenced: []))) == ["report b@30", "acquit a#9", "poll"])

    var idle = reading(suspect)
    for _ in 0..<29 { #expect(idle.on(.fetched(nil)) == ["poll single"]) }
    #expect(idle.on(.fetched(nil)) == ["acquit a#9", "poll"])
  }

  @Test("A suspicion goes with its partition")
  func suspicionLeaves() {
    var run = Run()
    _ = run.start()
    _ = run.on(.assigned([a, b]))
    _ = run.on(.claimed([suspect, b.claim(3, at: 8)]))
    _ = run.on(.polled([]))
    _ = run.on(.fetched(a.record(5).record))
    let fenced = run.on(.written(.committed(advanced: [], fenced: [suspect])))
    #expect(fenced == ["poll"])
    #expect(run.on(.revoked) == ["release b#3", "unassign", "poll"])
  }

  @Test("A record that comes while another is read alone waits for it, and nothing is skipped")
  func readsAloneInTurn() {
    var run = Run()
    _ = run.start()
    _ = run.on(.assigned([a]))
    _ = run.on(.claimed([suspect]))
    _ = run.on(.polled([]))
    _ = run.on(.fetched(a.record(5).record))
    for _ in 0..<4 { _ = run.on(.tick) }
    // The pause comes too late for this one.
    #expect(run.on(.fetched(a.record(6).record)) == ["poll single"])
    let next = run.on(.written(.committed(advanced: [a.claim(9, at: 6)], fenced: [])))
    #expect(next == ["report a@6", "probe a:6 under a#9", "resume"])
    #expect(run.on(.written(.committed(advanced: [a.claim(9, at: 7)], fenced: []))) == ["report a@7"])
  }

  @Test("A record alone that takes long pauses the partitions; a revocation waits for it, and a stop")
  func readsAloneForLong() {
    var run = Run()
    _ = run.start()
    _ = run.on(.assigned([a]))
    _ = run.on(.claimed([suspect]))
    _ = run.on(.polled([]))
    _ = run.on(.fetched(a.record(5).record))
    for _ in 0..<3 { #expect(run.on(.tick) == []) }
    #expect(run.on(.tick) == ["pause", "poll single"])
    for _ in 0..<40 { #expect(run.on(.fetched(nil)) == ["poll single"], "nothing comes while it is paused") }
    #expect(run.on(.revoked) == ["abandon"])
    #expect(run.on(.written(.abandoned)) == ["release a#9", "unassign", "poll"])
    #expect(run.on(.fetched(a.record(5).record)) == ["poll"], "not ours any more")
  }

  // MARK: - Stopping

  @Test("A stop with nothing under way hands everything back")
  func stop() {
    var run = Run(holding: [a.claim(1, at: 5)])
    #expect(run.on(.stopRequested) == ["release a#1", "stop"])
    #expect(run.on(.polled([a.record(5)])) == [] && run.on(.tick) == [] && run.on(.stopRequested) == [])
    var idle = Run()
    _ = idle.start()
    #expect(idle.on(.stopRequested) == ["stop"])
  }

  @Test("A stop finishes the batch in flight and the prepared one, and polls no more")
  func stopDrains() {
    var run = Run(holding: [a.claim(1, at: 5)])
    _ = run.on(.polled([a.record(5)]))
    #expect(run.on(.stopRequested) == [])
    #expect(run.on(.polled([a.record(6)])) == [], "what the last poll brought is prepared still")
    #expect(run.on(.written(.committed(advanced: [a.claim(1, at: 6)], fenced: []))) == ["write a:6 under a#1", "report a@6"])
    #expect(run.on(.written(.committed(advanced: [a.claim(1, at: 7)], fenced: []))) == ["report a@7", "release a#1", "stop"])
  }

  @Test("A stop waits ten seconds for its last batches, and abandons them then")
  func stopAbandons() {
    var run = Run(holding: [a.claim(1, at: 5)])
    _ = run.on(.polled([a.record(5)]))
    _ = run.on(.polled([a.record(6)]))
    _ = run.on(.stopRequested)
    for _ in 0..<20 { #expect(run.on(.tick) == []) }
    #expect(run.on(.written(.committed(advanced: [a.claim(1, at: 6)], fenced: []))) == ["write a:6 under a#1", "report a@6"])
    for _ in 0..<19 { #expect(run.on(.tick) == []) }
    #expect(run.on(.tick) == ["abandon"])
    #expect(run.on(.written(.abandoned)) == ["release a#1", "stop"])
  }

  @Test("What follows an abandoned batch is not written: its offset would skip the records that were given up")
  func stopAbandonsWithAPreparedBatch() {
    var run = Run(holding: [a.claim(1, at: 5)])
    _ = run.on(.polled([a.record(5)]))
    _ = run.on(.polled([a.record(6)]))
    _ = run.on(.stopRequested)
    for _ in 0..<40 { _ = run.on(.tick) }
    #expect(run.on(.written(.abandoned)) == ["release a#1", "stop"])
    #expect(run.written(a) == [5])
  }

  @Test("A stop during a revocation ends as soon as the batch in flight has")
  func stopWhileRevoked() {
    var run = Run(holding: [a.claim(1, at: 5)])
    _ = run.on(.polled([a.record(5)]))
    _ = run.on(.polled([a.record(6)]))
    _ = run.on(.revoked)
    #expect(run.on(.stopRequested) == [])
    #expect(run.on(.written(.committed(advanced: [a.claim(1, at: 6)], fenced: []))) == ["report a@6", "release a#1", "stop"])
  }
}

private let a = TopicAndPartition("a", 0)
private let b = TopicAndPartition("b", 0)
private let c = TopicAndPartition("c", 0)

extension TopicAndPartition {
  fileprivate func claim(_ epoch: Int64, at next: Int64?) -> OffsetClaim {
    OffsetClaim(topic: topic, partition: partition, epoch: epoch, nextOffset: next)
  }
  fileprivate func record(_ offset: Int64) -> NormalisedRecord {
    NormalisedRecord(
      record: Record(topic: topic, partition: partition, offset: offset, timestamp: nil, key: nil, headers: [], value: nil),
      tenant: "default", elements: [])
  }
}

/// A machine and what it was told to do, in words; partitions are called by their topics.
private struct Run {
  private var machine: IngestMachine
  private(set) var log: [String] = []
  /// Where the consumer stands after the last `assign` and `seek`; -1 is the start.
  private(set) var reading: [TopicAndPartition: Int64] = [:]
  /// A poll was asked for that has not been answered.
  private(set) var isPolling = false
  private var writes: [TopicAndPartition: [Int64]] = [:]

  init(batchRecords: Int = 1_000) { machine = IngestMachine(batchRecords: batchRecords) }

  /// A worker that reads these partitions already, with a poll under way.
  init(holding claims: [OffsetClaim], batchRecords: Int = 1_000) {
    self.init(batchRecords: batchRecords)
    _ = start()
    _ = on(.assigned(claims.map(\.key)))
    _ = on(.claimed(claims))
    log = []
  }

  /// The offsets of the partition that were given to be written, batch after batch.
  func written(_ partition: TopicAndPartition) -> [Int64] { writes[partition] ?? [] }

  mutating func start() -> [String] { note(machine.start()) }

  mutating func on(_ event: IngestMachine.Event) -> [String] {
    switch event {
    case .polled, .fetched, .assigned, .revoked, .outOfRange, .unreadable: isPolling = false
    default: break
    }
    return note(machine.handle(event))
  }

  /// How many ticks pass before something is claimed; 0 when nothing is within a minute.
  mutating func ticksUntilClaim() -> Int {
    for tick in 1...240 where on(.tick).contains(where: { $0.hasPrefix("claim") }) { return tick }
    return 0
  }

  private mutating func note(_ actions: [IngestMachine.Action]) -> [String] {
    for action in actions {
      switch action {
      case .poll: isPolling = true
      case .assign(let claims): reading = Dictionary(uniqueKeysWithValues: claims.map { ($0.key, $0.nextOffset ?? -1) })
      case .seek(let claims):
        for claim in claims where reading[claim.key] != nil { reading[claim.key] = claim.nextOffset ?? 0 }
      case .unassign: reading = [:]
      case .probe(let record, _): writes[record.topicAndPartition, default: []].append(record.offset)
      case .write(let records, _):
        for record in records { writes[record.record.topicAndPartition, default: []].append(record.record.offset) }
      default: break
      }
    }
    let words = actions.map(Self.words)
    log += words
    return words
  }

  private static func words(_ action: IngestMachine.Action) -> String {
    func at(_ claims: [OffsetClaim]) -> [String] {
      claims.map { "\($0.topic)@" + ($0.nextOffset.map { "\($0)" } ?? "start") }.sorted()
    }
    func held(_ claims: [OffsetClaim]) -> [String] { claims.map { "\($0.topic)#\($0.epoch)" }.sorted() }
    let words: [String] =
      switch action {
      case .poll(.batch): ["poll"]
      case .poll(let poll): ["poll", "\(poll)"]
      case .claim(let partitions): ["claim"] + partitions.map(\.topic).sorted()
      case .assign(let claims): ["assign"] + at(claims)
      case .seek(let claims): ["seek"] + at(claims)
      case .write(let records, let claims):
        ["write"] + records.map { "\($0.record.topic):\($0.record.offset)" } + ["under"] + held(claims)
      case .probe(let record, let claim): ["probe", "\(record.topic):\(record.offset)", "under"] + held([claim])
      case .acquit(let claims): ["acquit"] + held(claims)
      case .reposition(let claim, let low, let high): ["reposition"] + held([claim]) + ["\(low)", "\(high)"]
      case .stepOver(let claim, let offset): ["step over"] + held([claim]) + ["\(offset)"]
      case .abandon: ["abandon"]
      case .release(let claims): ["release"] + held(claims)
      case .unassign: ["unassign"]
      case .pause: ["pause"]
      case .resume: ["resume"]
      case .report(let claims): ["report"] + at(claims)
      case .stop: ["stop"]
      }
    return words.joined(separator: " ")
  }
}
