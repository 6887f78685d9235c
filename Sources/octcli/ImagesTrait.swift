import OctNet

/// Files of images need system libraries, which only builds with the package trait Images use.
enum ImagesTrait {
  static func missing(_ what: String) -> OctNetError {
    .configuration(
      key: what,
      "this octcli was built without the trait Images; install libpng-dev, libjpeg-dev, libwebp-dev and libtiff-dev, and build it with: "
        + "swift build -c release --traits Images")
  }
}
