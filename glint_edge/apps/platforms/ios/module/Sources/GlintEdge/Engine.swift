import Foundation

/// Best first.
public struct TopK {
  public let ids: [Int]
  public let scores: [Float]

  public init(ids: [Int], scores: [Float]) {
    self.ids = ids
    self.scores = scores
  }
}

/// What an artifact's shapes are.
public struct Shapes {
  /// Floats of a state.
  public let state: Int
  /// Items of one `append_many`.
  public let chunk: Int
  /// Items of a list.
  public let topK: Int
  /// Of the item table, which a bias has a number for each of, by id.
  public let rows: Int
}

/// An artifact in its runtime, which is called once at a time. A state is `[Float]`, all zeros for no
/// history.
public protocol Engine: AnyObject {
  /// The state one item further.
  func append(_ state: [Float], _ id: Int) throws -> [Float]

  /// The state any number of items further.
  func appendMany(_ state: [Float], _ ids: [Int]) throws -> [Float]

  /// The artifact's list after a state, its scores with a bias added; nil: without.
  func recommend(_ state: [Float], _ bias: [Float]?) throws -> TopK

  /// The same of the items most like one.
  func similar(_ id: Int, _ bias: [Float]?) throws -> TopK

  /// Whether it gives the same bits on every machine.
  var isExact: Bool { get }
}

/// Opens an artifact that has been checked.
public protocol EngineFactory {
  /// The artifact's `target` in the manifest: "c" or "executorch".
  var target: String { get }

  func open(_ artifact: URL, _ shapes: Shapes) throws -> any Engine
}
