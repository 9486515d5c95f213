package app.glintedge;

public final class BuildConfig {
  public static final String BUNDLE = "app.glint";
}
