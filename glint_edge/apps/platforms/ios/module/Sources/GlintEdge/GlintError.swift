import Foundation

/// Whatever goes wrong here; the message is one sentence that says what to do.
public struct GlintError: Error, LocalizedError, Equatable {
  /// For a program that wants to tell one from another.
  public enum Code: Sendable {
    /// A file or a saved session is not what was written.
    case damaged
    /// Made by a newer version than this one.
    case upgrade
    /// A session of another bundle: start again from its history.
    case otherModel
    /// A key that is not in the catalogue.
    case unknownItem
    /// The call cannot be carried out.
    case argument
  }

  public let code: Code
  public let message: String

  public var errorDescription: String? { message }

  public init(_ code: Code, _ message: String) {
    self.code = code
    self.message = message
  }
}

/// What the runtime gives; what it throws is a `GlintError`.
func ofRuntime<T>(_ artifact: URL, _ call: () throws -> T) throws -> T {
  do {
    return try call()
  } catch let error as GlintError {
    throw error
  } catch {
    let reason = error.localizedDescription.split(whereSeparator: \.isNewline).joined(separator: " ")
    throw cannotRun(artifact, reason)
  }
}

func cannotRun(_ artifact: URL, _ reason: String) -> GlintError {
  GlintError(.damaged, "\(artifact.path) cannot be run (\(reason)); export the bundle again")
}
