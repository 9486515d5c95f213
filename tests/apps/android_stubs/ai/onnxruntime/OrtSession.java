package ai.onnxruntime;

import java.util.Map;
import java.util.Optional;
import java.util.Set;

public class OrtSession implements AutoCloseable {
  public static class SessionOptions implements AutoCloseable {
    public void setIntraOpNumThreads(int threads) throws OrtException {}

    @Override
    public void close() {}
  }

  public static class Result implements AutoCloseable {
    public Optional<OnnxValue> get(String key) {
      throw new UnsupportedOperationException();
    }

    @Override
    public void close() {}
  }

  public Result run(Map<String, ? extends OnnxTensor> inputs, Set<String> requestedOutputs)
      throws OrtException {
    throw new UnsupportedOperationException();
  }

  @Override
  public void close() throws OrtException {}
}
