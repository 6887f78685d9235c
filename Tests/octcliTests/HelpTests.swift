import Testing

/// Help is part of the interface: word for word where it is short, by its key lines where it is long.
struct HelpTests {
  private func help(_ arguments: String...) throws -> String {
    let runner = try CommandRunner()
    defer { runner.removeScratch() }
    let outcome = try runner.run(arguments, environment: ["COLUMNS": "80"])
    #expect(outcome.status == 0)
    #expect(outcome.errors == "")
    return outcome.output
  }

  @Test func root() throws {
    #expect(
      try help("--help") == """
        OVERVIEW: Train, evaluate and measure octave convolutional networks on the CPU.

        Octave convolution keeps a fraction α of every feature map's channels at half
        resolution. Start with `octcli train`, which needs no data and no flag and
        takes a few minutes.

        Results are printed on standard output, progress and errors on standard error.
        The exit code is 0 when all went well, 1 when a file, a setting or the training
        failed, 64 when the command line is wrong, 128 and a signal's number when one
        ended it.

        USAGE: octcli <subcommand>

        OPTIONS:
          --version               Show the version.
          -h, --help              Show help information.

        SUBCOMMANDS:
          train                   Train an Oct-ResNet, evaluate it after every epoch,
                                  and keep the best.
          eval                    Score a checkpoint on the images of a data set.
          predict                 Say what a network sees in images: files, or those of
                                  a data set.
          augment                 Draw what training will see: a sheet of augmented
                                  images with their labels.
          prepare                 Write decoded and resized images of a data set into
                                  one file, for training without decoding.
          study                   Train a list of networks that differ in α and in how
                                  the octaves exchange information.
          report                  Make a page with charts and tables from runs.
          convert                 Make an OctNet checkpoint of somebody's weights, or
                                  an octave network of an ordinary one.
          export                  Write a checkpoint's network as an ONNX file.
          models                  List the networks that --model knows.
          summary                 Show what a network costs: parameters,
                                  multiply–accumulates, activation memory.
          bench                   Measure how fast this machine is.

          See 'octcli help <subcommand>' for detailed help.

        """)
  }

  @Test func everyFlagOfTrainIsExplained() throws {
    let text = try help("train", "--help")
    for flag in [
      "--data <set>", "--limit-train <n>", "--limit-test <n>", "--augment <list>", "--mean <r g b>",
      "--std <r g b>",
      "--model <name>", "--alpha <ratio>", "--stem <stem>", "--variant <variant>",
      "--downsampling <downsampling>", "--no-low-to-high", "--no-high-to-low", "--keep-merging",
      "--epochs <n>",
      "--batch-size <n>", "--optimizer <optimizer>", "--learning-rate <rate>", "--schedule <schedule>",
      "--warmup-epochs <n>", "--weight-decay <decay>", "--label-smoothing <share>", "--seed <n>",
      "--threads <n>", "--out <dir>", "--resume <dir>", "--recipe <recipe>", "--config <file>",
      "--accumulate <n>", "--shards <n>", "--reduce-dtype <reduce-dtype>", "--ema <decay>", "--mixup <α>",
      "--freeze <module>",
      "--rate-scale <module=factor>",
      "--cutmix <α>", "--mixup-prob <p>", "--mixup-switch-prob <p>", "--class-weights <class-weights>",
      "--balanced-sampler", "--scale <low high>", "--ratio <low high>", "--interpolation <interpolation>",
      "--auto-augment <auto-augment>", "--ra-magnitude <n>", "--ra-ops <n>", "--color-jitter <b c s h>",
      "--random-erase <p>", "--erase-mode <erase-mode>", "--aug-repeats <n>",
      "--eval-every <n>", "--best-metric <best-metric>",
      "--early-stopping <n>", "--checkpoint-every <n>", "--no-tensorboard", "--newton-schulz <n>",
      "--normalize-weights", "--group <group>", "--loss-reduction <loss-reduction>", "--test-views <n>",
    ] {
      #expect(text.contains("\n  \(flag)"), "\(flag)")
    }
    #expect(text.contains("octcli train --resume runs/seed"))
    let words = text.split(whereSeparator: \.isWhitespace).joined(separator: " ")
    #expect(words.contains("Update rule (default: sgd). (values: sgd, adam, adamw, muon)"))
  }

  @Test func everyFlagOfEvalIsExplained() throws {
    let text = try help("eval", "--help")
    for flag in [
      "--checkpoint <file>", "--data <set>", "--limit-test <n>", "--predictions <file>", "--json",
      "--model <name>", "--alpha <ratio>", "--stem <stem>", "--downsampling <downsampling>", "--mean <r g b>",
      "--std <r g b>",
    ] {
      #expect(text.contains("\n  \(flag)"), "\(flag)")
    }
    #expect(text.contains("index,label,logit_0,…"))
  }

  @Test func report() throws {
    let text = try help("report", "--help")
    #expect(text.hasPrefix("OVERVIEW: Make a page with charts and tables from runs.\n"))
    #expect(text.contains("octcli report runs/a runs/b --out comparison"))
    #expect(text.contains("\n  --out <dir> "))
  }

  @Test func benchKernels() throws {
    let text = try help("bench", "kernels", "--help")
    #expect(text.hasPrefix("OVERVIEW: Time the convolution kernels against the machine's peak.\n"))
    #expect(text.contains("OCTNET_MAX_ISA"))
    #expect(text.contains("--repetitions <n>       Repetitions of which the median counts. (default: 9)"))
  }
}
