import ExecuTorch

/// Best first.
struct TopK {
  let ids: [Int]
  let scores: [Float]
}

/// The bundle's `.pte` on ExecuTorch. A state is `[Float]`, all zeros for no history.
final class Engine {
  private let module: Module
  private let stateSize: Int
  private let chunk: Int
  private let rows: Int
  private let noBias: Tensor<Float>
  private var isSimilarLoaded = false

  init(_ bundle: AppBundle) throws {
    module = Module(filePath: bundle.artifact.path, loadMode: .mmap)
    stateSize = bundle.stateSize
    chunk = bundle.chunk
    rows = bundle.rows
    noBias = Tensor<Float>(Array(repeating: 0, count: bundle.rows), shape: [1, bundle.rows])
    for method in ["append", "append_many", "recommend"] {
      try module.load(method)
    }
  }

  /// The state one item further.
  func append(_ state: [Float], _ id: Int) throws -> [Float] {
    try step("append", state, [Tensor<Int64>([Int64(id)], shape: [1])])
  }

  /// The state any number of items further.
  func appendMany(_ state: [Float], _ ids: [Int]) throws -> [Float] {
    var state = state
    for start in stride(from: 0, to: ids.count, by: chunk) {
      let part = ids[start..<min(start + chunk, ids.count)].map { Int64($0) }
      let padded = part + Array(repeating: Int64(0), count: chunk - part.count)  // 0 is padding
      state = try step(
        "append_many", state,
        [
          Tensor<Int64>(padded, shape: [1, chunk]), Tensor<Int64>([Int64(part.count)], shape: [1]),
        ])
    }
    return state
  }

  /// The artifact's list after a state, its scores with a bias added; nil: without.
  func recommend(_ state: [Float], _ bias: [Float]?) throws -> TopK {
    try list("recommend", tensor(state), bias)
  }

  /// The same of the items most like one.
  func similar(_ id: Int, _ bias: [Float]?) throws -> TopK {
    // Not when the bundle is loaded: it may pack the table once more, which not every app needs.
    if !isSimilarLoaded { try module.load("similar") }
    isSimilarLoaded = true
    return try list("similar", Tensor<Int64>([Int64(id)], shape: [1]), bias)
  }

  private func list(_ method: String, _ of: ValueConvertible, _ bias: [Float]?) throws -> TopK {
    let added = bias.map { Tensor<Float>($0, shape: [1, rows]) } ?? noBias
    let outputs = try module.execute(method, [of, added])
    guard outputs.count == 2, let items: Tensor<Int64> = outputs[0].tensor(),
      let scores: Tensor<Float> = outputs[1].tensor()
    else { throw ofAnotherModel }
    return TopK(ids: items.scalars().map { Int($0) }, scores: scores.scalars())
  }

  private func step(_ method: String, _ state: [Float], _ ids: [ValueConvertible]) throws -> [Float] {
    var inputs: [ValueConvertible] = [tensor(state)]
    inputs.append(contentsOf: ids)
    guard let after: Tensor<Float> = try module.execute(method, inputs).first?.tensor() else {
      throw ofAnotherModel
    }
    return after.scalars()
  }

  private func tensor(_ state: [Float]) -> Tensor<Float> {
    Tensor<Float>(state, shape: [1, stateSize])
  }

  private var ofAnotherModel: GlintError {
    GlintError(.damaged, "the artifact is of another model than its manifest; export the bundle again")
  }
}
