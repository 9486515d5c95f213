package ai.onnxruntime;

public final class OrtEnvironment {
  public static OrtEnvironment getEnvironment() {
    throw new UnsupportedOperationException();
  }

  public OrtSession createSession(String modelPath, OrtSession.SessionOptions options)
      throws OrtException {
    throw new UnsupportedOperationException();
  }
}
