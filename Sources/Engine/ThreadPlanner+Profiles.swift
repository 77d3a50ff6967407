import Canonical

/// What is known of customers and organizations.
extension ThreadPlanner {
  mutating func updateProfile(
    _ event: Event, _ resolved: Resolved, _ resolver: IdentityResolver, _ change: (inout CustomerProfile) -> Void
  ) {
    let key = InTenant(event.tenant, resolved.customer)
    let before = profiles[key]
    var profile = before ?? CustomerProfile(isVerified: false)
    profile.isVerified = profile.isVerified || resolved.assurance >= .a1
    change(&profile)
    guard profile != before else { return }
    profiles[key] = profile
    writes.changedCustomers[key] = profile
  }

  /// Rule 10: the newest word of the business wins, for every trait by itself, which keeps its source and time.
  static func apply(_ contact: Contact, from source: String, to profile: inout CustomerProfile) {
    for (name, value) in contact.traits {
      let trait = Trait(value: value, source: source, at: contact.updatedAt)
      profile.traits[name] = profile.traits[name].map { $0.at <= trait.at ? trait : $0 } ?? trait
    }
    // Who says one thing alone has not said the others.
    let isAboutMore = contact.displayName != nil || contact.language != nil || contact.organization != nil
    guard isAboutMore, profile.updatedAt.map({ contact.updatedAt >= $0 }) ?? true else { return }
    profile.updatedAt = contact.updatedAt
    profile.displayName = contact.displayName ?? profile.displayName
    profile.language = contact.language ?? profile.language
    profile.organization = contact.organization?.externalID ?? profile.organization
  }

  mutating func add(_ organization: Organization, of event: Event, _ updatedAt: Timestamp) {
    let key = InTenant(event.tenant, organization.externalID)
    // Who only names it says nothing about it.
    let isBare = organization == Organization(externalID: organization.externalID)
    let updatedAt = isBare ? Timestamp.storable.lowerBound : updatedAt
    if let known = writes.organizations[key], known.at > updatedAt { return }
    writes.organizations[key] = (organization, updatedAt)
  }
}
