package ai.onnxruntime;

import java.nio.FloatBuffer;
import java.nio.LongBuffer;

public abstract class OnnxTensor implements OnnxValue {
  public static OnnxTensor createTensor(OrtEnvironment env, FloatBuffer data, long[] shape)
      throws OrtException {
    throw new UnsupportedOperationException();
  }

  public static OnnxTensor createTensor(OrtEnvironment env, LongBuffer data, long[] shape)
      throws OrtException {
    throw new UnsupportedOperationException();
  }
}
