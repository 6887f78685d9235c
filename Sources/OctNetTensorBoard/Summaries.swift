import Foundation

// The events a run consists of. Scalars and images are written in the form that every version of TensorBoard reads,
// text in the one its plugin asks for.

extension Tensorboard_Event {
  static func scalars(_ values: KeyValuePairs<String, Double>, step: Int) -> Self {
    summary(values.map { tag, value in .with { ($0.tag, $0.simpleValue) = (tag, Float(value)) } }, step: step)
  }

  /// - Parameter markdown: TensorBoard renders tables and fenced code too.
  static func text(_ tag: String, _ markdown: String, step: Int) -> Self {
    let value = Tensorboard_Summary.Value.with {
      $0.tag = tag
      $0.metadata.pluginData.pluginName = "text"
      $0.tensor.dtype = .dtString
      $0.tensor.tensorShape.dim = [.with { $0.size = 1 }]
      $0.tensor.stringVal = [Data(markdown.utf8)]
    }
    return summary([value], step: step)
  }

  static func image(_ tag: String, _ image: RGBImage, step: Int) -> Self {
    let value = Tensorboard_Summary.Value.with {
      $0.tag = tag
      $0.image.width = Int32(image.width)
      $0.image.height = Int32(image.height)
      $0.image.colorspace = 3
      $0.image.encodedImageString = Data(PNGEncoder.encode(image))
    }
    return summary([value], step: step)
  }

  /// A process begins, or goes on, with `step`. TensorBoard drops what an earlier process wrote for that step and
  /// later ones; it takes a directory's first such event for the run's beginning.
  static func sessionStart(step: Int) -> Self {
    .with {
      $0.step = Int64(step)
      $0.sessionLog.status = .start
    }
  }

  private static func summary(_ values: [Tensorboard_Summary.Value], step: Int) -> Self {
    .with {
      $0.step = Int64(step)
      $0.summary.value = values
    }
  }
}
