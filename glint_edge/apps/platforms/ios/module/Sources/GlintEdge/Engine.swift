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

  init(_ bundle: AppBundle) throws {
    module = Module(filePath: bundle.artifact.path, loadMode: .mmap)
    stateSize = bundle.stateSize
    chunk = bundle.chunk
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

  /// The artifact's list after a state.
  func recommend(_ state: [Float]) throws -> TopK {
    let outputs = try module.execute("recommend", [tensor(state)])
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
