import Parsing
import Testing

@Suite("Telephone numbers")
struct PhoneNumberTests {
  @Test(
    "a number in any dress is E.164",
    arguments: [
      ("+34600123456", nil, "+34600123456"), ("600 12 34 56", "ES", "+34600123456"), ("0034 600 12 34 56", "es", "+34600123456"),
      ("(415) 555-2671", "US", "+14155552671"), ("tel:+34-600-123-456", nil, "+34600123456"),
      ("1-800-FLOWERS", "US", "+18003569377"),
      ("٠٦٠٠١٢٣٤٥٦", "FR", "+33600123456"), ("+5215512345678", nil, "+525512345678"), ("+44 7700 900123", nil, "+447700900123"),
    ] as [(String, String?, String)])
  func numbers(text: String, region: String?, expected: String) {
    #expect(PhoneNumber.e164(text, region: region) == expected)
  }

  @Test(
    "the rest is no number",
    arguments: [
      ("", nil), ("abc", "ES"), ("123", "ES"), ("600 12 34 56", nil), ("600 12 34 56", "ZZ"), ("600 12 34 56", "ÑÑ"),
      ("+0123456789", nil), ("+1234567890123456", nil), ("+34 600 123 456 ext. 5", nil), ("+34600123456\0", nil),
      (String(repeating: "9", count: 65), "ES"), ("16505551234", nil),
    ] as [(String, String?)])
  func others(text: String, region: String?) {
    #expect(PhoneNumber.e164(text, region: region) == nil)
  }
}
