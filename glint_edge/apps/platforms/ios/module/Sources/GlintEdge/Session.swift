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

  /// Take in one more item, at constant cost. A session longer than a sliding window is encoded
  /// again, from its last items.
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

  /// The k best items, best first. Leaving out what was seen filters the bundle's list, so fewer
  /// than k may be left: export with a larger `--top-k`.
  ///
  /// - Parameter excludeSeen: leave out the session's own items; nil: where nobody takes an item
  ///   again in the log of the training.
  /// - Throws: `GlintError` `.argument`: k is larger than what the bundle was exported for.
  public func top(_ k: Int = 10, excludeSeen: Bool? = nil) throws -> [Recommendation] {
    try recommender.top(state, k, without: (excludeSeen ?? recommender.bundle.excludesSeen) ? Set(ids) : [])
  }

  /// For `Recommender.resume`, on any platform, with the same bundle.
  public func save() -> Data {
    SavedSession(digest: recommender.bundle.manifest.digest, state: state, ids: ids).pack()
  }
}
