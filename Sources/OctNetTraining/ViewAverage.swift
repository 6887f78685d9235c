import OctNetCore
import OctNetSupport

/// Logits of a batch, averaged over views of its images.
final class ViewAverage {
  private let views: [TestViews.View]
  private let session: InferenceSession
  private let shape: MapShape
  private let classes: Int
  private let images, sums: AlignedBuffer

  init(_ views: TestViews, _ session: InferenceSession, _ network: Network, batchSize: Int) {
    self.views = views.views
    self.session = session
    shape = network.inputShape
    classes = network.outputShape.channels
    images = AlignedBuffer(byteCount: batchSize * shape.count * MemoryLayout<Float>.stride)
    sums = AlignedBuffer(byteCount: batchSize * classes * MemoryLayout<Float>.stride)
  }

  /// count × classes, until the next call.
  func logits(images batch: UnsafePointer<Float>, count: Int, threads: Int) -> UnsafeBufferPointer<Float> {
    let sums = sums.floats
    for (index, view) in views.enumerated() {
      view.write(batch, count: count, shape: shape, to: images.floats, threads: threads)
      let logits = session.logits(images: images.floats, count: count)
      for place in 0..<count * classes {
        sums[place] = (index == 0 ? 0 : sums[place]) + view.weight * logits[place]
      }
    }
    return UnsafeBufferPointer(start: sums, count: count * classes)
  }
}
