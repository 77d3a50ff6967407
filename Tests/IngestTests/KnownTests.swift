import Testing

@testable import Workers

/// What a worker remembers, and forgets.
@Suite struct KnownTests {
  @Test func `what is used stays known through any number of others, and what is not is forgotten`() {
    let known = Known<Int, String>(limit: 10)
    known.put([1: "used", 2: "not used"])
    for start in stride(from: 100, to: 200, by: 8) {
      known.put(Dictionary(uniqueKeysWithValues: (start..<start + 8).map { ($0, "other") }))
      #expect(known.find([1]).known == [1: "used"])
    }
    #expect(known.find([2]) == ([:], [2]))
  }

  @Test func `what is forgotten does not come back as it was before, and what is newer counts`() {
    let known = Known<Int, String>(limit: 1)
    known.put([1: "old", 2: "other"])
    known.put([1: "new"])
    #expect(known.find([1], [1: "newest"]).known == [1: "newest"])
    #expect(known.find([1]).known == [1: "new"])
    known.forget([1])
    #expect(known.find([1, 2]) == ([2: "other"], [1]))
    known.forget()
    #expect(known.find([2]).unknown == [2])
  }
}
