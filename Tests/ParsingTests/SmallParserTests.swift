import Parsing
import Testing

@Suite("Languages")
struct LanguageTests {
  @Test(
    "a sentence tells its language",
    arguments: [
      ("Hola, mi pedido llegó roto y nadie me contesta", "es"), ("Where is my order? I have been waiting for two weeks", "en"),
      ("Meine Bestellung ist noch nicht angekommen, wo ist sie?", "de"), ("Где мой заказ? Я жду уже две недели", "ru"),
      ("שלום, איפה ההזמנה שלי? אני מחכה כבר שבועיים", "he"), ("注文した商品がまだ届いていません。", "ja"),
      ("我的订单在哪里？我已经等了两个星期了，请尽快回复我。", "zh"),
    ])
  func sentences(text: String, code: String) {
    #expect(Language.detect(text) == code)
  }

  @Test("a word, digits and pictures do not", arguments: ["", "ok", "Bestellung", "12345678901234567890", "👍👍👍👍👍👍👍👍", "\0"])
  func others(text: String) {
    #expect(Language.detect(text) == nil)
  }

  @Test("a long text is judged by its beginning, whatever character the limit falls into", arguments: 0..<4)
  func long(offset: Int) {
    let text = String(repeating: "a", count: offset) + " Hola, mi pedido llegó roto. " + String(repeating: "😀", count: 10_000)
    #expect([nil, "es"].contains(Language.detect(text)))
  }
}

@Suite("Digests")
struct DigestTests {
  @Test("a digest is the beginning of SHA-256 over lengths and parts")
  func knownValue() {
    // printf '\0\0\0\0\0\0\0\2ab\0\0\0\0\0\0\0\1c' | sha256sum
    #expect(Digest.bytes16(["ab", "c"]) == (0x601d_5476_e2cc_fe2c, 0x87a2_bba7_a322_6597))
    #expect(Digest.bytes16([Array("ab".utf8), Array("c".utf8)]) == Digest.bytes16(["ab", "c"]))
  }

  @Test("where one part ends matters", arguments: [["a", "bc"], ["abc"], ["abc", ""], ["", "abc"], []])
  func unambiguous(parts: [String]) {
    #expect(Digest.bytes16(parts) != Digest.bytes16(["ab", "c"]))
  }

  @Test("a keyed digest is HMAC-SHA256 over lengths and parts")
  func authentication() {
    // printf '\0\0\0\0\0\0\0\2ab\0\0\0\0\0\0\0\1c' | openssl dgst -sha256 -hmac key
    let parts = [Array("ab".utf8), Array("c".utf8)]
    let digest = Digest.authentication(of: parts, key: Array("key".utf8))
    let hex = digest.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
    #expect(hex == "6792a685701881d31208bf28ad5cbe35d0ea5cc4f15c4689af94fe1602c421e3")
    #expect(digest != Digest.authentication(of: parts, key: Array("kez".utf8)))
    #expect(digest != Digest.authentication(of: [Array("a".utf8), Array("bc".utf8)], key: Array("key".utf8)))
    #expect(Digest.authentication(of: [], key: []).count == 32)
  }

  @Test("secrets are equal when all of their bytes are")
  func equality() {
    #expect(Digest.areEqual([1, 2, 3], [1, 2, 3]) && Digest.areEqual([], []))
    #expect(!Digest.areEqual([1, 2, 3], [1, 2, 4]) && !Digest.areEqual([1, 2, 3], [1, 2]) && !Digest.areEqual([], [0]))
  }
}

@Suite("ISO 8601")
struct ISO8601Tests {
  @Test(
    "a date and time is microseconds since 1970",
    arguments: [
      ("2026-05-12T09:20:11.402Z", 1_778_577_611_402_000), ("2026-05-12T09:20:11+02:00", 1_778_570_411_000_000),
      ("2026-05-12 09:14:07", 1_778_577_247_000_000), ("2020-03-03 13:05:57 UTC", 1_583_240_757_000_000),
      ("2026-05-12T09:20:11.123456789Z", 1_778_577_611_123_456), ("2026-05-12t09:20:11.1-0530", 1_778_597_411_100_000),
      ("2024-02-29T00:00:00Z", 1_709_164_800_000_000), ("2026-05-12T23:59:60Z", 1_778_630_400_000_000),
      ("1969-12-31T23:59:59.5Z", -500_000), ("0001-01-01T00:00:00Z", -62_135_596_800_000_000),
      ("9999-12-31T23:59:59.999999Z", 253_402_300_799_999_999), ("2026-05-12T09:20:11 +02", 1_778_570_411_000_000),
    ])
  func points(text: String, microseconds: Int64) {
    #expect(ISO8601.microseconds(text) == microseconds)
  }

  @Test(
    "nonsense is nil",
    arguments: [
      "", "nonsense", "2026-05-12", "2026-02-29T00:00:00Z", "1900-02-29T00:00:00Z", "2026-13-01T00:00:00Z",
      "2026-00-01T00:00:00Z", "2026-05-12T24:00:00Z", "2026-05-12T09:60:00Z", "2026-05-12T09:20:61Z", "2026-05-12T09:20:11.Z",
      "2026-05-12T09:20:11.1234567890Z",
      "2026-05-12T09:20:11Zx", "2026-05-12T09:20:11+2:00", "2026-05-12T09:20:11+02:", "2026-05-12T09:20:11+25:00",
      "2026-5-12T09:20:11Z", "+2026-05-12T09:20:11Z", "0000-01-01T00:00:00Z", "２026-05-12T09:20:11Z", "2026-05-12T09:20:11\0",
    ])
  func nonsense(text: String) {
    #expect(ISO8601.microseconds(text) == nil)
  }
}
