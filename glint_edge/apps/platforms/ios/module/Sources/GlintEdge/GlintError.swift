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

  init(_ code: Code, _ message: String) {
    self.code = code
    self.message = message
  }
}
