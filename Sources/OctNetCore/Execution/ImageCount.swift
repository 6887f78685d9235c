import OctNetSupport

extension MapShape {
  /// How many images so many numbers are.
  /// - Throws: `OctNetError.configuration` where they are none, more than a batch, or not whole images.
  package func checkedCount(ofNumbers numbers: Int, batchSize: Int) throws(OctNetError) -> Int {
    let (images, rest) = numbers.quotientAndRemainder(dividingBy: count)
    guard rest == 0, images > 0, images <= batchSize else {
      throw .configuration(
        key: "images",
        "found \(numbered(numbers, "number")), expected \(self) for each image, of which there may be \(batchSize)"
      )
    }
    return images
  }
}
