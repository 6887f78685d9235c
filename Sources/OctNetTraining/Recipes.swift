import OctNetCore
import OctNetData
import OctNetModels
import OctNetSupport

extension TrainingConfiguration {
  /// The names `recipe(named:data:threads:)` takes.
  public static let recipeNames = ["seed", "speedrun94", "photographs"]

  /// A published recipe, `nil` for an unknown name.
  ///
  /// `seed`: the CIFAR-10 notebook this package began with. Oct-ResNet-50 (α = 0.125) with its ImageNet stem on 32×32
  /// images, Adam at 1e-3, weight decay 5e-4, batches of 100, crop 4 and flip, 50 epochs.
  ///
  /// `speedrun94`: the fastest public training to 94 % on CIFAR-10, Keller Jordan's `airbench94_muon`, in single precision.
  /// `airbench94` (α = 0), 8 epochs in batches of 2,000, the sum of cross-entropies with smoothing 0.2; Muon on filters
  /// (0.24, momentum 0.6, three iterations, normalised weights), SGD with Nesterov's momentum 0.85 on biases (0.053) and head
  /// (0.67), all on a line to 0, that of the whitening's bias after three epochs; alternating flips and crops by two
  /// reflected pixels; six views at the end.
  ///
  /// `photographs`: for a folder of photographs. `resnet18` at α = 0.25, 60 epochs in batches of 64, SGD with Nesterov's momentum
  /// 0.9 at 0.05, three epochs of warm-up and a cosine, weight decay 1e-4 but for norms and biases, random resized crops of 0.25
  /// to 1 of the area, flips, TrivialAugmentWide, label smoothing 0.1, an average of the weights (0.999), ImageNet's
  /// normalisation. Files are turned as EXIF says, and where they have no test images a tenth of each class becomes that.
  public static func recipe(named name: String, data: String, threads: Int) -> TrainingConfiguration? {
    switch name {
    case "seed":
      return TrainingConfiguration(
        model: ModelConfiguration(name: "resnet50", alpha: 0.125, stem: .imagenet, variant: .seed),
        data: data, epochs: 50, batchSize: 100, optimizer: .adam,
        schedule: LearningRateSchedule(base: 1e-3), weightDecay: 5e-4,
        augmentation: Augmentation(cropPadding: 4, horizontalFlip: true),
        normalization: Normalization(mean: [0.507, 0.487, 0.441], std: [0.267, 0.256, 0.276]),
        threads: threads)
    case "speedrun94": return speedrun94(data: data, threads: threads)
    case "photographs": return photographs(data: data, threads: threads)
    default: return nil
    }
  }

  /// Height and width that photographs of any size get in a recipe that says so, where nobody else does.
  public static func photographSize(ofRecipe name: String) -> Int? { name == "photographs" ? 160 : nil }

  /// A quarter of the area at least: the 0.08 of long trainings on a million images leaves too little of an object in short
  /// ones on few.
  private static func photographs(data: String, threads: Int) -> TrainingConfiguration {
    let areFiles = ["folder:", "csv:", "tar:"].contains { data.hasPrefix($0) }
    var augmentation = Augmentation(
      cropPadding: 0, horizontalFlip: true, randomResizedCrop: RandomResizedCrop(scale: 0.25...1))
    augmentation.autoAugment = AutoAugment(.taWide)
    return TrainingConfiguration(
      model: ModelConfiguration(name: "resnet18", alpha: 0.25), data: data, epochs: 60, batchSize: 64,
      optimizer: .sgd(momentum: 0.9, nesterov: true),
      schedule: LearningRateSchedule(base: 0.05, shape: .cosine, warmupEpochs: 3), weightDecay: 1e-4,
      excludeNormsAndBiases: true, labelSmoothing: 0.1, emaDecay: 0.999, augmentation: augmentation,
      normalization: Normalization(mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225]), threads: threads,
      exifOrientation: areFiles ? true : nil,
      testShare: areFiles ? 0.1 : nil)
  }

  /// Groups have the rates themselves: the run's is 1. Weight decay is 0.004 for a rate of 1, so that a step shrinks
  /// weights by the same share at any rate.
  private static func speedrun94(data: String, threads: Int) -> TrainingConfiguration {
    let decay: Float = 0.004
    let sgd = OptimizerConfiguration.sgd(momentum: 0.85, nesterov: true)
    var augmentation = Augmentation(cropPadding: 2, horizontalFlip: true)
    augmentation.flipsAlternately = true
    augmentation.reflectsBorder = true
    return TrainingConfiguration(
      model: ModelConfiguration(name: "airbench94"), data: data, epochs: 8, batchSize: 2000, optimizer: sgd,
      schedule: LearningRateSchedule(base: 1, shape: .linear), weightDecay: 0, labelSmoothing: 0.2,
      augmentation: augmentation,
      normalization: Normalization(mean: [0.4914, 0.4822, 0.4465], std: [0.2470, 0.2435, 0.2616]),
      threads: threads,
      parameterGroups: [
        ParameterGroup(
          kinds: [.filters], learningRateScale: 0.24,
          optimizer: .muon(momentum: 0.6, nesterov: true, iterations: 3, normalizesWeights: true)),
        ParameterGroup("whiten.bias", learningRateScale: 0.053, weightDecay: decay / 0.053, epochs: 3),
        ParameterGroup(kinds: [.biases, .norms], learningRateScale: 0.053, weightDecay: decay / 0.053),
        ParameterGroup("head", learningRateScale: 0.67, weightDecay: decay / 0.67),
      ], lossReduction: .sum, testViews: .six)
  }
}
