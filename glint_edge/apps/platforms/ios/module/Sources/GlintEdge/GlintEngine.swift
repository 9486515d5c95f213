#if canImport(CGlint)
import CGlint
import Foundation

/// The bundle's `.glnt` on the engine, which is plain C, compiled with this package.
public struct GlintEngine: EngineFactory {
  public let target = "c"

  public init() {}

  public func open(_ artifact: URL, _ shapes: Shapes) throws -> any Engine {
    try OpenModel(artifact, shapes)
  }
}

private final class OpenModel: Engine {
  let isExact = true
  private let shapes: Shapes
  /// Mapped into memory; the model points into it.
  private let file: NSData
  private let model: UnsafeMutablePointer<glint_model>
  private let workspace: UnsafeMutableRawPointer

  init(_ artifact: URL, _ shapes: Shapes) throws {
    let file = try NSData(contentsOf: artifact, options: .alwaysMapped)
    let model = UnsafeMutablePointer<glint_model>.allocate(capacity: 1)
    let error = glint_open(model, file.bytes, file.length)
    guard error == 0 else {
      model.deallocate()
      throw cannotRun(artifact, "it is no model of this engine, error \(error)")
    }
    guard glint_state_floats(model) == shapes.state, Int(model.pointee.rows) == shapes.rows else {
      model.deallocate()
      throw cannotRun(artifact, "it is of another model than its manifest")
    }
    self.shapes = shapes
    self.file = file
    self.model = model
    workspace = UnsafeMutableRawPointer.allocate(byteCount: glint_workspace_bytes(model), alignment: 64)
  }

  deinit {
    model.deallocate()
    workspace.deallocate()
  }

  func append(_ state: [Float], _ id: Int) throws -> [Float] {
    var after = try checked(state)
    glint_append(model, workspace, &after, Int32(clamping: id))
    return after
  }

  func appendMany(_ state: [Float], _ ids: [Int]) throws -> [Float] {
    var after = try checked(state)
    let items = ids.map { Int32(clamping: $0) }
    glint_append_many(model, workspace, &after, items, items.count)
    return after
  }

  func recommend(_ state: [Float], _ bias: [Float]?) throws -> TopK {
    let from = try checked(state)
    var items = [Int32](repeating: 0, count: shapes.topK)
    var scores = [Float](repeating: 0, count: shapes.topK)
    let k = Int32(shapes.topK)
    let count: Int32
    if let bias {
      count = glint_recommend(model, workspace, from, bias, k, &items, &scores)
    } else {
      count = glint_recommend(model, workspace, from, nil, k, &items, &scores)
    }
    return list(items, scores, Int(count))
  }

  func similar(_ id: Int, _ bias: [Float]?) throws -> TopK {
    var items = [Int32](repeating: 0, count: shapes.topK)
    var scores = [Float](repeating: 0, count: shapes.topK)
    let item = Int32(clamping: id)
    let k = Int32(shapes.topK)
    let count: Int32
    if let bias {
      count = glint_similar(model, workspace, item, bias, k, &items, &scores)
    } else {
      count = glint_similar(model, workspace, item, nil, k, &items, &scores)
    }
    return list(items, scores, Int(count))
  }

  private func checked(_ state: [Float]) throws -> [Float] {
    guard state.count == shapes.state else {
      throw GlintError(.argument, "a state has \(state.count) floats, not \(shapes.state); start again")
    }
    return state
  }

  private func list(_ items: [Int32], _ scores: [Float], _ count: Int) -> TopK {
    TopK(ids: items.prefix(count).map { Int($0) }, scores: Array(scores.prefix(count)))
  }
}
#endif
