import Testing

@testable import Channels

@Suite struct QuotedTextTests {
  private func strip(_ text: String, subject: String? = nil) -> String { QuotedText.strip(text, subject: subject) }

  @Test(
    "The line above a quoted mail is known in many languages",
    arguments: [
      "On Tue, May 12, 2026 at 11:14 AM Support <support@shop.example> wrote:",
      "On 12 May 2026, at 11:14, Support <support@shop.example> wrote:",
      "On Tue, May 12, 2026 at 11:14 AM The Support Team of the Shop <\nsupport@shop.example> wrote:",
      "Am Di., 12. Mai 2026 um 11:14 Uhr schrieb Support <support@shop.example>:",
      "Am 12.05.26 um 11:14 schrieb support@shop.example:",
      "Le mar. 12 mai 2026 à 11:14, Support <support@shop.example> a écrit :",
      "Le mar. 12 mai 2026 à 11:14, Support <support@shop.example> a\nécrit\u{a0}:",
      "El mar, 12 may 2026 a las 11:14, Support (<support@shop.example>) escribió:",
      "Il giorno mar 12 mag 2026 alle ore 11:14 Support <support@shop.example> ha scritto:",
      "Em ter., 12 de mai. de 2026 às 11:14, Support <support@shop.example> escreveu:",
      "Op di 12 mei 2026 om 11:14 schreef Support <support@shop.example>:",
      "Den tis 12 maj 2026 kl 11:14 skrev Support <support@shop.example>:",
      "tir. 12. maj 2026 kl. 11.14 skrev Support <support@shop.example>:",
      "wt., 12 maj 2026 o 11:14 Support <support@shop.example> napisał(a):",
      "út 12. 5. 2026 v 11:14 odesílatel Support <support@shop.example> napsal:",
      "вт, 12 мая 2026 г. в 11:14, Support <support@shop.example>:",
      "12 мая 2026 г., в 11:14, Support <support@shop.example>\nнаписал(а):",
      "ti 12. toukok. 2026 klo 11.14 Support (support@shop.example) kirjoitti:",
      "Support <support@shop.example>, 12 May 2026 Sal, 11:14 tarihinde şunu yazdı:",
      "2026年5月12日(火) 11:14 Support <support@shop.example>:",
      "Support <support@shop.example> 于2026年5月12日周二 11:14写道：",
      "2026년 5월 12일 (화) 오전 11:14, Support <support@shop.example>님이 작성:",
    ])
  func attributions(_ line: String) {
    #expect(strip("Thank you.\n\n\(line)\n> Dear Ana,\n> it left today.\n") == "Thank you.")
    #expect(strip("Thank you.\n\n\(line)\n\nDear Ana,\nit left today.\n") == "Thank you.")
    #expect(strip("Thank you.\r\n\(line.replacing("\n", with: "\r\n"))\r\n> it left today.") == "Thank you.")
  }

  @Test(
    "Outlook's blocks and rules cut what follows",
    arguments: [
      "From: Support <support@shop.example>\nSent: Tuesday, May 12, 2026 11:14 AM\nTo: Ana\nSubject: Order\n\nDear Ana",
      "*From:* Support\n*Date:* Tuesday, May 12, 2026 11:14 AM\n*To:* Ana\n*Subject:* Order\n\nDear Ana",
      "Von: Support <support@shop.example>\nGesendet: Dienstag, 12. Mai 2026 11:14\nAn: Ana\nBetreff: Bestellung\n\nLiebe Ana",
      "De\u{a0}: Support\nEnvoyé\u{a0}: mardi 12 mai 2026 11:14\nÀ\u{a0}: Ana\nObjet\u{a0}: Commande\n\nBonjour",
      "De: Support\nEnviado el: martes, 12 de mayo de 2026 11:14\nPara: Ana\nAsunto: Pedido\n\nHola",
      "差出人: Support\n送信日時: 2026年5月12日 11:14\n宛先: Ana\n件名: 注文\n\nこんにちは",
      "________________________________\nFrom: Support\nSent: Tuesday\nTo: Ana\nSubject: Order\n\nDear Ana",
      "-----Original Message-----\nanything", "-----Ursprüngliche Nachricht-----\nirgendwas", "-----Message d'origine-----\nrien",
      "-----Mensaje original-----\nnada", "-----Исходное сообщение-----\nничего",
    ])
  func outlook(_ block: String) {
    #expect(strip("Danke.\n\n\(block)") == "Danke.")
  }

  @Test("Answers between quoted lines stay")
  func inlineAnswers() {
    let text = "On 12 May 2026, Support <s@shop.example> wrote:\n> Which size?\n38\n> Which colour?\nBlack\n"
    #expect(strip(text) == "38\nBlack")
  }

  @Test("The signature goes, a forward below it stays")
  func signature() {
    #expect(strip("Hi\n-- \nAna Ruiz\nMadrid") == "Hi")
    #expect(
      strip("See\n-- \nAna\n---------- Forwarded message ---------\nFrom: b\n> text")
        == "See\n---------- Forwarded message ---------\nFrom: b\n> text")
    #expect(strip("Hi\n-- \nAna\nOn 12 May 2026, S <s@shop.example> wrote:\n> old") == "Hi")
  }

  @Test(
    "A forward is shown whole",
    arguments: [
      "---------- Forwarded message ---------\nFrom: a\nDate: b\nSubject: c\n\n> text",
      "Begin forwarded message:\n\nFrom: a\nDate: b\nSubject: c\n\ntext",
      "-------- Weitergeleitete Nachricht --------\nVon: a\nDatum: b\nBetreff: c\n\ntext",
    ])
  func forwards(_ forward: String) {
    #expect(strip("See below.\n\n" + forward) == "See below.\n\n" + forward)
  }

  @Test("A subject that says forward keeps Outlook's block")
  func forwardBySubject() {
    let text = "See.\n\nFrom: a\nSent: b\nTo: c\nSubject: d\n\ntext"
    #expect(strip(text, subject: "FW: d") == text)
    #expect(strip(text, subject: "RE: d") == "See.")
  }

  @Test(
    "What people write themselves stays",
    arguments: [
      "From: Madrid\nTo: Paris\nDate: 3 June\nTwo seats please", "On Monday you wrote: it leaves today. It did not.",
      "Options:\n- red\n- blue", "I ordered in 2026:\nshoes", "a\n\nb", "__________\nbelow a rule", "It was --- honestly --- bad",
    ])
  func plainWriting(_ text: String) {
    #expect(strip(text) == text)
  }

  @Test("Never is everything stripped", arguments: ["> only\n> quoted", "-- \nAna", "-----Original Message-----\nFrom: a", ">"])
  func neverEverything(_ text: String) {
    #expect(strip(text) == text)
  }

  @Test("A line before the attribution is not taken for its beginning")
  func lineBeforeAttribution() {
    #expect(strip("On it!\nOn 12 May 2026, S <s@shop.example> wrote:\n> old") == "On it!")
    #expect(strip("Order 2026\n12 мая 2026 г., в 11:14, S <s@shop.example> написал:\n> old") == "Order 2026")
  }

  @Test("Blank text stays blank")
  func blank() {
    #expect(strip(" \n\t\r\n") == "")
  }
}
