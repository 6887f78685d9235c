import CKernels
import OctNetCore
import OctNetData
import OctNetSupport

/// What training makes small: a number for a batch, from a network's outputs and what they should be.
///
/// A loss of one's own implements both functions:
///
/// ```swift
/// struct AbsoluteError: Loss {
///   func targets(for outputs: [Network.Output]) -> TargetCounts { TargetCounts(values: outputs[0].shape.count) }
///
///   func evaluate(_ c: LossContext) -> LossValue {
///     let output = c.output(0), gradient = c.gradient(0)
///     var sum = 0.0
///     for (index, target) in c.values.enumerated() {
///       let difference = output[index] - target
///       sum += Double(abs(difference))
///       gradient?[index] = c.scale * (difference < 0 ? -1 : 1)
///     }
///     return LossValue(sum: sum)
///   }
/// }
/// ```
public protocol Loss: Sendable {
  /// Checks the outputs of a network, and says what an image's target is.
  /// - Throws: `OctNetError.graph` for a network that the loss does not fit.
  func targets(for outputs: [Network.Output]) throws(OctNetError) -> TargetCounts

  /// The loss of a batch, and where there are places for them, the gradients: `c.scale` · ∂sum/∂output.
  func evaluate(_ c: LossContext) -> LossValue
}

/// How many numbers tell what a network should give for an image.
public struct TargetCounts: Equatable, Sendable {
  /// Indices of classes.
  public var labels: Int
  /// Labels are below it.
  public var classes: Int
  /// Floats.
  public var values: Int

  /// Nothing by default.
  public init(labels: Int = 0, classes: Int = .max, values: Int = 0) {
    self.labels = labels
    self.classes = classes
    self.values = values
  }
}

/// What training makes small: the mean of the images' losses, or their sum.
public enum LossReduction: String, Codable, CaseIterable, Sendable {
  /// The usual one: rates do not depend on the batch's size.
  case mean
  /// As PyTorch's `reduction="sum"`. What is reported stays the mean.
  case sum

  func scale(count: Int) -> Float { self == .sum ? 1 : 1 / Float(count) }
}

/// A loss over the images of a batch.
public struct LossValue: Equatable, Sendable {
  /// Over all images; training divides it by their number.
  public var sum: Double
  /// Predictions that are right, of `predictions`; both 0 where there is no right and wrong.
  public var correct, predictions: Int

  /// A loss without right and wrong leaves both 0.
  public init(sum: Double, correct: Int = 0, predictions: Int = 0) {
    self.sum = sum
    self.correct = correct
    self.predictions = predictions
  }
}

/// What a loss has: a batch's outputs, its targets, and places for gradients. Valid during the call only.
public struct LossContext {
  /// Images.
  public let count: Int
  /// Threads that the loss may use, see `parallel`.
  public let threads: Int
  /// What makes a gradient of the sum that of what training makes small: 1 / count (of the whole batch, where this is a shard
  /// of it), or 1 with `LossReduction.sum`.
  public let scale: Float
  /// count × `TargetCounts.labels`.
  public let labels: UnsafeBufferPointer<Int32>
  /// count × `TargetCounts.values`.
  public let values: UnsafeBufferPointer<Float>
  /// Second labels, where images were mixed.
  public let mixed: MixedLabels?
  let outputs: [UnsafeBufferPointer<Float>]
  let gradients: [UnsafeMutableBufferPointer<Float>?]
  let descriptions: [Network.Output]

  /// count × the output's shape.
  public func output(_ index: Int) -> UnsafeBufferPointer<Float> { outputs[index] }

  /// Where ∂loss/∂output goes; zeros before. nil where nobody asks for it: in evaluations, and where nothing that is
  /// trained lies upstream.
  public func gradient(_ index: Int) -> UnsafeMutableBufferPointer<Float>? { gradients[index] }

  /// Of one image.
  public func shape(_ index: Int) -> MapShape { descriptions[index].shape }

  /// The place of an output among them, by its name.
  /// - Precondition: the network has it; `Loss.targets` is the place to check.
  public func index(of name: String) -> Int {
    guard let index = descriptions.firstIndex(where: { $0.name == name }) else {
      preconditionFailure("the network has no output \(name)")
    }
    return index
  }

  /// Divides 0 ..< count between threads and waits for all, as `ForwardContext.parallel(_:_:)`. Sums over many places keep
  /// their bits for any number of threads where their parts follow from the shapes.
  public func parallel(_ count: Int, _ body: (Range<Int>) -> Void) {
    OctNetCore.parallel(count, threads: threads, body)
  }
}

extension Loss {
  /// Whether the images of a data set have the targets that the loss takes.
  /// - Throws: `OctNetError.configuration` where they have others.
  func requireTargets(of dataset: any Dataset, network: Network) throws(OctNetError) {
    let targets = try targets(for: network.outputs)
    let labels = dataset.targetSize == 0 ? 1 : 0
    guard targets.labels != labels || targets.values != dataset.targetSize else { return }
    func words(_ labels: Int, _ values: Int) -> String {
      numbered(labels, "class", plural: "classes") + " and " + numbered(values, "number")
    }
    throw .configuration(
      key: "loss",
      "takes \(words(targets.labels, targets.values)) an image, \"\(dataset.name)\" has "
        + words(labels, dataset.targetSize))
  }
}
