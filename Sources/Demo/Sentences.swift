/// What customers and agents of the sample day say, by language; `#` becomes an order number.
struct Sentences: Sendable {
  /// How a customer begins.
  var openings: [String]
  /// What they add.
  var more: [String]
  var answers: [String]
  /// An agent's note.
  var note: String

  static let languages = ["en", "es", "de", "fr", "it", "pt", "ar"]

  static func of(_ language: String?) -> Sentences { all[language ?? "en"] ?? english }

  private static let all = [
    "en": english, "es": spanish, "de": german, "fr": french, "it": italian, "pt": portuguese, "ar": arabic,
  ]

  private static let english = Sentences(
    openings: [
      "Where is my order #? The tracking page has not changed since Monday.",
      "The lamp from order # arrived with a broken shade. What do I do with it?",
      "I would like to change the delivery address of order # before it ships.",
      "Do you still have the blue rug in two by three metres?",
      "My discount code does not work at the checkout, it says that it has expired.",
      "Can I return two of the four chairs from order #, or only all of them?",
      "The invoice for order # has the wrong company name on it.",
      "How long does delivery to Ireland take at the moment?",
      "I was promised a call about the sofa in order # yesterday, and nobody rang.",
      "Is the oak bed also sold without the headboard?",
    ],
    more: [
      "I forgot to say that I am only at home in the mornings.", "Any news about this? It is rather urgent by now.",
      "I have attached nothing yet, but I can send photos.", "Thank you, that would help a lot.",
      "Sorry, the number should have been #.",
    ],
    answers: [
      "Thank you for writing. I have looked at it, and it is on its way to you tomorrow.",
      "I am sorry about that. A new one goes out today, and you can keep the other.",
      "Good question: yes, that is possible. I have changed it for you.",
    ], note: "Called about an order, all answered on the phone.")

  private static let spanish = Sentences(
    openings: [
      "¿Dónde está mi pedido #? El seguimiento no se ha movido desde el lunes.",
      "La lámpara del pedido # llegó con la pantalla rota, ¿qué hago con ella?",
      "Quisiera cambiar la dirección de entrega del pedido # antes de que salga.",
      "¿Todavía tienen la alfombra azul de dos por tres metros?",
      "El código de descuento no funciona, dice que ha caducado.",
      "¿Puedo devolver solamente dos de las cuatro sillas del pedido #?",
    ],
    more: [
      "Se me olvidó decir que solo estoy en casa por las mañanas.", "¿Hay alguna novedad? Ya es bastante urgente.",
      "Muchas gracias, eso me ayudaría mucho.",
    ],
    answers: [
      "Gracias por escribirnos. Ya lo he revisado y mañana sale hacia su casa.",
      "Lo siento mucho. Hoy mismo le enviamos uno nuevo y puede quedarse con el otro.",
    ], note: "Llamó por un pedido, todo resuelto por teléfono.")

  private static let german = Sentences(
    openings: [
      "Wo bleibt meine Bestellung #? Die Sendungsverfolgung steht seit Montag still.",
      "Die Lampe aus der Bestellung # kam mit einem zerbrochenen Schirm an, was mache ich damit?",
      "Ich möchte die Lieferadresse der Bestellung # noch vor dem Versand ändern.",
      "Gibt es den blauen Teppich noch in zwei mal drei Metern?",
      "Kann ich nur zwei der vier Stühle aus der Bestellung # zurückgeben?",
      "Auf der Rechnung zur Bestellung # steht der falsche Firmenname.",
    ],
    more: [
      "Ich habe vergessen zu sagen, dass ich nur vormittags zu Hause bin.",
      "Gibt es schon etwas Neues? Es wird langsam dringend.",
      "Vielen Dank, das wäre eine große Hilfe.",
    ],
    answers: [
      "Danke für Ihre Nachricht. Ich habe nachgesehen, morgen geht es zu Ihnen auf den Weg.",
      "Das tut mir leid. Heute geht ein neues Stück hinaus, das andere dürfen Sie behalten.",
    ], note: "Anruf zu einer Bestellung, am Telefon alles geklärt.")

  private static let french = Sentences(
    openings: [
      "Où en est ma commande # ? Le suivi n'a pas bougé depuis lundi.",
      "La lampe de la commande # est arrivée avec un abat-jour cassé, que dois-je faire ?",
      "Je voudrais changer l'adresse de livraison de la commande # avant l'expédition.",
      "Avez-vous encore le tapis bleu en deux mètres sur trois ?",
      "Le code de réduction ne fonctionne pas, il paraît qu'il a expiré.",
    ],
    more: [
      "J'ai oublié de dire que je ne suis chez moi que le matin.", "Avez-vous des nouvelles ? Cela devient assez urgent.",
      "Merci beaucoup, cela m'aiderait vraiment.",
    ],
    answers: [
      "Merci de votre message. J'ai vérifié, le colis part chez vous demain.",
      "Je suis désolée. Nous vous en envoyons un neuf aujourd'hui, vous pouvez garder l'autre.",
    ], note: "Appel au sujet d'une commande, tout est réglé au téléphone.")

  private static let italian = Sentences(
    openings: [
      "Dov'è il mio ordine #? Il tracciamento è fermo da lunedì.",
      "La lampada dell'ordine # è arrivata con il paralume rotto, che cosa devo fare?",
      "Vorrei cambiare l'indirizzo di consegna dell'ordine # prima della spedizione.",
      "Avete ancora il tappeto blu da due metri per tre?",
      "Il codice sconto non funziona, dice che è scaduto.",
    ],
    more: [
      "Ho dimenticato di dire che sono a casa solo la mattina.", "Ci sono novità? Ormai è diventato urgente.",
      "Grazie mille, mi aiuterebbe molto.",
    ],
    answers: [
      "Grazie per il messaggio. Ho controllato, domani il pacco parte verso casa sua.",
      "Mi dispiace molto. Oggi ne spediamo uno nuovo, l'altro può tenerlo.",
    ], note: "Telefonata per un ordine, tutto risolto.")

  private static let portuguese = Sentences(
    openings: [
      "Onde está a minha encomenda #? O seguimento não muda desde segunda-feira.",
      "O candeeiro da encomenda # chegou com o abajur partido, o que devo fazer?",
      "Gostaria de alterar a morada de entrega da encomenda # antes do envio.",
      "Ainda têm o tapete azul de dois por três metros?",
      "O código de desconto não funciona, diz que já expirou.",
    ],
    more: [
      "Esqueci-me de dizer que só estou em casa de manhã.", "Há alguma novidade? Já é bastante urgente.",
      "Muito obrigado, isso ajudava muito.",
    ],
    answers: [
      "Obrigado pela mensagem. Já verifiquei e amanhã segue para sua casa.",
      "Peço imensa desculpa. Enviamos hoje um novo e pode ficar com o outro.",
    ], note: "Chamada sobre uma encomenda, tudo resolvido ao telefone.")

  private static let arabic = Sentences(
    openings: [
      "أين طلبي رقم #؟ لم تتغير صفحة التتبع منذ يوم الاثنين.",
      "وصل المصباح من الطلب # مكسورا، ماذا أفعل به؟",
      "أريد تغيير عنوان التوصيل للطلب # قبل الشحن من فضلكم.",
      "هل ما زالت السجادة الزرقاء متوفرة بمقاس مترين في ثلاثة أمتار؟",
    ],
    more: ["نسيت أن أقول إنني في البيت صباحا فقط.", "هل من أخبار؟ أصبح الأمر عاجلا.", "شكرا جزيلا، هذا يساعدني كثيرا."],
    answers: [
      "شكرا على رسالتكم. راجعت الطلب وسيخرج إليكم غدا.", "أعتذر عن ذلك. سنرسل لكم قطعة جديدة اليوم ويمكنكم الاحتفاظ بالأخرى.",
    ], note: "اتصال بشأن طلب، تمت الإجابة عن كل شيء هاتفيا.")
}
