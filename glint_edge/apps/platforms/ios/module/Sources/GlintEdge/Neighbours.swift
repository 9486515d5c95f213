import Foundation

/// What neighbours do to an item.
struct Pull: Equatable {
  /// Added to its score.
  let rise: Float
  /// The id of the item of the history that has the largest share in it.
  let because: Int
}

/// What was tapped near what, in a log: it raises the scores of the items near a history's last ones.
///
/// neighbours.bin, a file that a bundle may have; all numbers little endian:
///
///     0   "GENB"
///     4   u32 version of this format, 1
///     8   u32 R, rows of the item table, as the log had them; an item after these has no neighbours
///     12  u32 C, neighbours of all rows together
///     16  u32 bytes of an id: 2 or 4; 2 is too few where R is above 65,536
///     20  u32 L, how many of a history's last items count
///     24  float32 decay, of each step back; then float32 c and float32 gamma
///     36  u32 0
///     40  (R + 1) × u32, where each row's neighbours begin, then R × float32 scales,
///         C × u8 weights, C × ids, ascending in a row, to the file's end
///
/// A neighbour's weight is its row's scale times its own number. An item's nearness e to a history is
/// the mean of its weights in the rows of the last L items, of which the one s steps back counts
/// decay^s times; its score rises by c · log(1 + gamma · e). One of these last L items itself does
/// not rise, unless it is in its own row: what is never tapped again is not brought back.
struct Neighbours: Sendable {
  static let file = "neighbours.bin"
  private static let magic = Array("GENB".utf8)
  private static let version = 1
  private static let head = 40
  private static let mostRowsOfShortIds = 65_536
  /// Platforms round otherwise: so much of the largest rise is allowed beside a golden score.
  private static let rounding = 1e-4

  /// How many of a history's last items count.
  let last: Int
  private let decay: Double
  private let c: Double
  private let gamma: Double
  /// Where each row's neighbours begin, and where the last one's end.
  private let starts: [Int]
  private let scales: [Float]
  private let weights: [UInt8]
  private let ids: [Int]

  /// - Parameters:
  ///   - data: the file's bytes.
  ///   - items: how many the catalogue has.
  ///   - file: for error messages.
  /// - Throws: `GlintError` `.damaged` or `.upgrade`.
  init(_ data: Data, items: Int, _ file: URL) throws {
    let bytes = [UInt8](data)
    func number(_ place: Int, _ size: Int = 4) -> Int {
      var number = 0
      for byte in bytes[place..<place + size].reversed() { number = number << 8 | Int(byte) }
      return number
    }
    func real(_ place: Int) -> Float { Float(bitPattern: UInt32(number(place))) }
    func require(_ holds: Bool, _ what: String) throws {
      guard holds else {
        throw GlintError(.damaged, "\(file.path) is damaged (\(what)); export the bundle again")
      }
    }
    try require(
      bytes.count >= Self.head && Array(bytes.prefix(Self.magic.count)) == Self.magic,
      "it holds no neighbours")
    guard number(4) <= Self.version else {
      throw GlintError(
        .upgrade, "\(file.path) has version \(number(4)), this app reads \(Self.version); upgrade the app")
    }
    try require(number(4) == Self.version, "its version")
    let rows = number(8)
    let count = number(12)
    let idBytes = number(16)
    let last = number(20)
    let decay = Double(real(24))
    let c = Double(real(28))
    let gamma = Double(real(32))
    try require((2...items + 1).contains(rows), "its rows are not those of this model")
    try require(idBytes == 4 || (idBytes == 2 && rows <= Self.mostRowsOfShortIds), "the size of its ids")
    try require((1...64).contains(last), "how many items count")
    // Each is false of a NaN.
    try require(decay > 0 && decay <= 1, "its decay")
    try require(c >= 0 && c <= 10, "its c")
    try require(gamma > 0 && gamma <= 1e6, "its gamma")
    try require(number(36) == 0, "a number of a later version")
    try require(bytes.count == Self.head + 4 * (2 * rows + 1) + count * (1 + idBytes), "its size")
    let atStarts = Self.head
    let atScales = atStarts + 4 * (rows + 1)
    let atWeights = atScales + 4 * rows
    let atIds = atWeights + count
    self.last = last
    self.decay = decay
    self.c = c
    self.gamma = gamma
    starts = (0...rows).map { number(atStarts + 4 * $0) }
    scales = (0..<rows).map { real(atScales + 4 * $0) }
    weights = Array(bytes[atWeights..<atIds])
    ids = (0..<count).map { number(atIds + idBytes * $0, idBytes) }
    if let wrong = wrongRow() { try require(false, wrong) }
  }

  private func wrongRow() -> String? {
    guard starts[0] == 0, starts[scales.count] == ids.count else { return "where its rows begin" }
    for (row, scale) in scales.enumerated() {
      let (start, end) = (starts[row], starts[row + 1])
      guard start <= end, end <= ids.count else { return "where its rows begin" }
      guard scale.isFinite, scale > 0 || (scale == 0 && start == end) else { return "a scale" }
      var before = 0
      for place in start..<end {
        guard ids[place] > before, ids[place] < scales.count else { return "an id, or the order of ids" }
        guard weights[place] != 0 else { return "a weight" }
        before = ids[place]
      }
    }
    return nil
  }

  /// By how much a list's scores may differ from those of another platform.
  var rounding: Double { Self.rounding * rise(1) }

  /// By id, what a history does to the items that are near its last ones.
  func pulls(_ history: [Int]) -> [Int: Pull] {
    var nearness: [Int: (sum: Double, largest: Double, because: Int)] = [:]
    var weight = 1.0
    var total = 0.0
    let counting = history.suffix(last).reversed()
    for item in counting {
      if item < scales.count {
        for place in starts[item]..<starts[item + 1] {
          let share = weight * Double(scales[item] * Float(weights[place]))
          var near = nearness[ids[place]] ?? (sum: 0, largest: 0, because: item)
          near.sum += share
          if share > near.largest { (near.largest, near.because) = (share, item) }  // of equals, the later
          nearness[ids[place]] = near
        }
      }
      total += weight
      weight *= decay
    }
    for item in counting where !comesAgain(item) { nearness[item] = nil }
    return nearness.mapValues { Pull(rise: Float(rise($0.sum / total)), because: $0.because) }
  }

  /// Whether an item is a neighbour of itself.
  private func comesAgain(_ item: Int) -> Bool {
    item < scales.count && ids[starts[item]..<starts[item + 1]].contains(item)
  }

  private func rise(_ nearness: Double) -> Double { c * log1p(gamma * nearness) }
}
