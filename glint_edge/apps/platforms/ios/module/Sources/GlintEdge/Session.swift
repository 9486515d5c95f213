import Foundation

/// One person's history, and the state the model keeps of it; for one thread at a time. Begun by
/// `Recommender.start` or `Recommender.resume`.
public final class Session {
  private let recommender: Recommender
  private var ids: [Int]
  private var state: [Float]

  /// How many unknown items were left out since it began.
  public private(set) var skipped: Int

  init(_ recommender: Recommender, _ ids: [Int], _ state: [Float], skipped: Int) {
    self.recommender = recommender
    self.ids = ids
    self.state = state
    self.skipped = skipped
  }

  /// The keys taken in, the oldest first: what a session of another bundle is started from.
  public var history: [String] { ids.map { recommender.bundle.keys[$0] } }

  /// Take in one more item, at constant cost. Of a sliding window, the last N items are encoded again
  /// once a quarter of N came after them.
  ///
  /// - Throws: `GlintError` `.unknownItem`, unless those are skipped; the session is as it was.
  public func append(_ key: String) throws {
    guard let id = try recommender.id(of: key) else {
      skipped += 1
      return
    }
    state = try recommender.step(state, ids, id)
    ids.append(id)
  }

  /// The k best items, best first; fewer only where the filters leave fewer. Keys that are not in the
  /// catalogue say nothing in a filter: what is in stock may be newer than the model.
  ///
  /// - Parameters:
  ///   - k: so many, also more than the artifact gives at once.
  ///   - excludeSeen: leave out the session's own items, or none of them; nil: all of them where nobody
  ///     takes an item again in the log of the training, else the last one.
  ///   - without: keys to leave out.
  ///   - among: keys to choose from; nil: all.
  ///   - where: by field, the values of which one must be the item's; an item without the field is
  ///     left out.
  ///   - boost: by key, what is added to the item's score; at most a million up or down.
  ///   - mostPer: by field, how many items of one value there may be at most; an item without the
  ///     field counts as of none.
  ///   - neighbours: raise what is tapped near the history's last items in the log; nil: if the bundle
  ///     has neighbours; false: the model alone.
  /// - Throws: `GlintError` `.argument`: k is below 1, no item has a field, a number is too large, or
  ///   there are no neighbours.
  public func top(
    _ k: Int = 10, excludeSeen: Bool? = nil, without: [String] = [], among: [String]? = nil,
    where: [String: [String]] = [:], boost: [String: Double] = [:], mostPer: [String: Int] = [:],
    neighbours: Bool? = nil
  ) throws -> [Recommendation] {
    try top(
      k, excludeSeen,
      Filters(without: without, among: among, where: `where`, boost: boost, mostPer: mostPer), neighbours)
  }

  func top(_ k: Int, _ excludeSeen: Bool?, _ filters: Filters, _ neighbours: Bool?) throws -> [Recommendation] {
    let seen = leftOut(excludeSeen)
    let pulls = try recommender.pulls(neighbours, ids)
    return try recommender.best(k, filters, without: seen, pulls: pulls) { try recommender.ranked(state, $0) }
  }

  /// The part of the history that a list leaves out.
  private func leftOut(_ excludeSeen: Bool?) -> [Int] {
    if excludeSeen ?? recommender.excludesSeen { return ids }
    return excludeSeen == nil ? Array(ids.suffix(1)) : []
  }

  /// For `Recommender.resume`, on any platform, with the same bundle. What a sliding window has passed
  /// is kept as seen: each item once.
  public func save() -> Data {
    SavedSession(
      digest: recommender.bundle.manifest.digest, state: state,
      ids: idsToSave(ids, window: recommender.bundle.kept)
    ).pack()
  }
}
